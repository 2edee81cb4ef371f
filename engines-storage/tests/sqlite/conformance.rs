//! The SQLite store passes the conformance suite.

use std::{sync::Arc, time::Duration};

use engines_core::nexus::Backend;
use engines_storage::{SqliteOptions, SqliteStore, conformance};

async fn keeps_the_contract_with(options: SqliteOptions, settings: conformance::SuiteSettings) {
    let folder = tempfile::tempdir().unwrap();
    let open = move |name: String| {
        let (path, options) = (folder.path().join(format!("{name}.db")), options.clone());
        async move { Ok(Arc::new(SqliteStore::open(path, options)?) as Arc<dyn Backend>) }
    };
    let report = conformance::run_with(open, settings).await.unwrap();
    assert!(report.skipped.is_empty(), "{report}");
    assert!(report.passed.len() > 50, "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keeps_the_contract() {
    keeps_the_contract_with(SqliteOptions::default(), conformance::SuiteSettings::default()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_passes_the_conformance_suite_with_small_limits() {
    let mut options = SqliteOptions::default();
    options.readers = 1;
    options.read_queue = 1;
    options.group_batches = 2;
    options.group_bytes = 1;
    options.document_cache_bytes = 0;
    options.head_cache = 0;
    options.page_cache_bytes = 64 << 10;
    options.checkpoint_pages = 1;
    options.changes = 1;
    options.busy_timeout = Duration::from_secs(30);
    let settings = conformance::SuiteSettings { writers: 4, rounds: 2, ..conformance::SuiteSettings::default() };
    keeps_the_contract_with(options, settings).await;
}
