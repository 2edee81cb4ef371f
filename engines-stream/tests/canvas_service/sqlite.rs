//! Canvases on the embedded backend: acknowledged commits survive a restart, and a hundred in flight keep their order.

use std::sync::Arc;

use engines_core::Store;
use engines_storage::{SqliteOptions, SqliteStore};
use engines_stream::canvas::{CanvasCommand, CanvasSettings};
use futures_util::future::join_all;
use serde_json::json;

use crate::fixture::{CanvasFixture, canvas_fixture_with, service, set};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_keeps_commits_idempotent_answers_and_snapshots() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("canvas.db");
    let settings = CanvasSettings { snapshot_bytes: 4096, ..CanvasSettings::default() };
    let open = || Arc::new(SqliteStore::open(&path, SqliteOptions::default()).unwrap());

    let store = open();
    let bench = canvas_fixture_with(Arc::clone(&store) as Arc<dyn Store>, settings.clone()).await;
    bench.command(set(0, "log", json!([]))).await.unwrap();
    let add = |rev: u64| {
        let ops = json!([{"op": "add", "path": "/log/-", "value": rev}]);
        CanvasCommand::new(rev, &ops).unwrap().with_idempotency_key(rev.to_string())
    };
    let answers = join_all((1..1000).map(|rev| bench.command(add(rev)))).await;
    assert!((2..).zip(&answers).all(|(rev, answer)| answer.as_ref().is_ok_and(|answer| answer.rev == rev)));
    let before = bench.replayed_state().await;
    let CanvasFixture { service: old, ada, id, .. } = bench;
    drop(old);
    store.close().await;
    drop(store);

    let store: Arc<dyn Store> = open();
    let bench = CanvasFixture { service: service(&store, settings), store, ada, id };
    assert_eq!(bench.head().await, 1000);
    assert_eq!(bench.replayed_state().await, before);
    let again = bench.command(add(500)).await.unwrap();
    assert!(again.replayed);
    assert_eq!(again.event_id, answers[499].as_ref().unwrap().event_id);
    assert_eq!(bench.command(set(0, "free", 1).with_rebase()).await.unwrap().rev, 1001);
}
