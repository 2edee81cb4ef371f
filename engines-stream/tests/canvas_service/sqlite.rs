//! Canvases on the embedded backend: what was acknowledged is there after a restart, and a hundred in flight stay in order.

use std::sync::Arc;

use engines_core::Store;
use engines_storage::{SqliteOptions, SqliteStore};
use engines_stream::canvas::{CanvasSettings, Command};
use futures_util::future::join_all;
use serde_json::json;

use crate::support::{Bench, bench_with, service, set};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_finds_every_commit_every_answer_and_the_snapshots() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("canvas.db");
    let settings = CanvasSettings { snapshot_bytes: 4096, ..CanvasSettings::default() };
    let open = || Arc::new(SqliteStore::open(&path, SqliteOptions::default()).unwrap());

    let store = open();
    let bench = bench_with(Arc::clone(&store) as Arc<dyn Store>, settings.clone()).await;
    bench.command(set(0, "log", json!([]))).await.unwrap();
    let add = |rev: u64| {
        let ops = json!([{"op": "add", "path": "/log/-", "value": rev}]);
        Command::new(rev, &ops).unwrap().once(rev.to_string())
    };
    let answers = join_all((1..1000).map(|rev| bench.command(add(rev)))).await;
    assert!((2..).zip(&answers).all(|(rev, answer)| answer.as_ref().is_ok_and(|answer| answer.rev == rev)));
    let before = bench.replayed().await;
    let Bench { service: old, ada, id, .. } = bench;
    drop(old);
    store.close().await;
    drop(store);

    let store: Arc<dyn Store> = open();
    let bench = Bench { service: service(&store, settings), store, ada, id };
    assert_eq!(bench.head().await, 1000);
    assert_eq!(bench.replayed().await, before);
    let again = bench.command(add(500)).await.unwrap();
    assert!(again.replayed);
    assert_eq!(again.event_id, answers[499].as_ref().unwrap().event_id);
    assert_eq!(bench.command(set(0, "free", 1).rebase()).await.unwrap().rev, 1001);
}
