//! The memory store passes the conformance suite.

use std::sync::Arc;

use engines_core::{IdGenerator, Result, nexus::Backend};
use engines_storage::{
    MemoryStore,
    conformance::{self, SkippedCase},
    memory::MemoryLimits,
};

async fn open(limits: MemoryLimits) -> Result<Arc<dyn Backend>> {
    Ok(Arc::new(MemoryStore::with_limits(&IdGenerator::from_os()?, limits)))
}

fn only_durability_is_left_out(report: &conformance::Report) {
    let cases: Vec<_> = report.skipped.iter().map(|SkippedCase { case, .. }| *case).collect();
    assert_eq!(
        cases,
        [
            "removal::stays_removed",
            "archive::staging_survives",
            "reopen::everything_is_the_same",
            "reopen::keys_still_count"
        ],
        "{report}"
    );
    assert!(report.passed.len() > 50, "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_passes_the_conformance_suite() {
    let report = conformance::run(|_| open(MemoryLimits::default())).await.unwrap();
    only_durability_is_left_out(&report);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_passes_the_conformance_suite_with_small_limits() {
    let limits = MemoryLimits {
        read_bytes: 1,
        change_queue: 1,
        max_writes: 64,
        max_batch_bytes: 16 << 10,
        max_document_bytes: 7000,
        max_event_bytes: 2 << 10,
        max_tags: 3,
        ..MemoryLimits::default()
    };
    let report = conformance::run(move |_| open(limits.clone())).await.unwrap();
    only_durability_is_left_out(&report);
}
