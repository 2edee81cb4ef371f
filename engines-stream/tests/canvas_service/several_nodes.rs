//! Several nodes on one store, and writers that start and end.

use std::sync::Arc;

use engines_core::{Code, ResourceId, Store};
use engines_stream::canvas::{CanvasSettings, NewCanvas};
use futures_util::future::join_all;
use serde_json::json;

use crate::fixture::{canvas_fixture, canvas_fixture_with, memory, service, set};

#[tokio::test]
async fn a_node_sees_commits_of_another_node() {
    let bench = canvas_fixture().await;
    let other = service(&bench.store, CanvasSettings::default());
    bench.command(set(0, "a", 1)).await.unwrap();
    // The other node has never loaded this canvas; then this one lacks the other's commits.
    for rev in (1..20).step_by(2) {
        assert_eq!(other.command(&bench.ada, &bench.id, set(rev, "a", rev)).await.unwrap().rev, rev + 1);
        assert_eq!(bench.command(set(rev + 1, "b", rev)).await.unwrap().rev, rev + 2);
    }
    // A base that was the head on this node, and is no longer.
    other.command(&bench.ada, &bench.id, set(21, "a", 1)).await.unwrap();
    let error = bench.command(set(21, "a", 2)).await.unwrap_err();
    assert_eq!((error.code(), error.member("head_rev")), (Code::RevMismatch, Some(&json!(22))));
    assert_eq!(error.member("ops_since_base").unwrap().as_array().unwrap().len(), 1);
    bench.replayed_state().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_nodes_racing_make_one_history() {
    let bench = Arc::new(canvas_fixture().await);
    let nodes: Vec<_> = (0..2).map(|_| service(&bench.store, CanvasSettings::default())).collect();
    let mut racers = Vec::new();
    for racer in 0..16_usize {
        let (bench, node) = (Arc::clone(&bench), nodes[racer % 2].clone());
        racers.push(tokio::spawn(async move {
            let mut done = 0;
            for turn in 0..20 {
                let key = format!("k{racer}-{turn}");
                loop {
                    let head = bench.head().await;
                    let command = set(head, &key, turn).with_rebase().with_idempotency_key(key.clone());
                    match node.command(&bench.ada, &bench.id, command).await {
                        Ok(answer) if !answer.replayed => break done += 1,
                        Ok(_) => panic!("nothing was tried twice"),
                        Err(error) if error.code() == Code::BackendUnavailable => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            }
            done
        }));
    }
    let done: u64 = join_all(racers).await.into_iter().map(Result::unwrap).sum();
    assert_eq!(done, 320);
    assert_eq!(bench.head().await, 320);
    assert_eq!(bench.replayed_state().await.as_object().unwrap().len(), 320);
}

#[tokio::test]
async fn more_canvases_than_the_writer_limit_all_make_progress() {
    let settings = CanvasSettings { busy_canvases: 2, busy_bytes: 0, ..CanvasSettings::default() };
    let bench = canvas_fixture_with(memory(), settings).await;
    let ids: Vec<_> = (0..20).map(|n| ResourceId::new(format!("x{n}")).unwrap()).collect();
    for id in &ids {
        let new = NewCanvas { canvas_id: Some(id.clone()), ..NewCanvas::default() };
        bench.service.create(&bench.ada, new).await.unwrap();
    }
    for rev in 0..5 {
        let all = ids.iter().map(|id| bench.service.command(&bench.ada, id, set(rev, "n", rev)));
        for answer in join_all(all).await {
            assert_eq!(answer.unwrap().rev, rev + 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_writer_stops_and_the_next_command_starts_another() {
    let settings = CanvasSettings { idle_s: 1, ..CanvasSettings::default() };
    let bench = canvas_fixture_with(memory(), settings).await;
    for rev in 0..3 {
        bench.command(set(rev, "n", rev)).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_secs(5)).await;
        let writers = tokio::runtime::Handle::current().metrics().num_alive_tasks();
        assert_eq!(writers, 0);
    }
    bench.replayed_state().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_delays_callers_in_order_and_loses_none() {
    const COMMANDS: u64 = 2_000;
    let store: Arc<dyn Store> = memory();
    let settings = CanvasSettings { in_flight: 2, ..CanvasSettings::default() };
    let bench = canvas_fixture_with(Arc::clone(&store), settings.clone()).await;
    let mut base = 0;
    // Each base is right only if all earlier commands were committed first, whichever thread is faster.
    for room in [1, 2, 7, 64, 300] {
        let limits = Arc::new(engines_core::Limits { write_queue: room, ..engines_core::Limits::default() });
        let guard = engines_core::Guard::allow_all().unwrap();
        let narrow = engines_stream::canvas::CanvasService::builder(Arc::clone(&store), guard, limits);
        let narrow = narrow.settings(settings.clone()).build();
        let commands = base..base + COMMANDS;
        let answers = join_all(commands.map(|rev| narrow.command(&bench.ada, &bench.id, set(rev, "n", rev)))).await;
        for (rev, answer) in (base + 1..).zip(answers) {
            assert_eq!(answer.unwrap().rev, rev, "room for {room}");
        }
        base += COMMANDS;
    }
    bench.replayed_state().await;
}
