//! Faults of the store: no acknowledged commit is lost, no lost commit is acknowledged, and the writer recovers.

use std::sync::{Arc, atomic::Ordering};

use engines_core::{
    Code, ResourceId, Store,
    command::{Draft, Op, OpFault, Reducer},
};
use engines_stream::canvas::{CanvasService, CanvasSettings, NewCanvas};
use futures_util::{FutureExt, future::join_all};
use serde_json::json;

use crate::{
    faulty_store::{CommitFault, FaultyStore},
    fixture::{CanvasFixture, canvas_fixture_with, memory, set},
};

async fn faulty(change: impl FnOnce(&mut FaultyStore)) -> (Arc<FaultyStore>, CanvasFixture) {
    let mut store = FaultyStore::new(memory());
    change(&mut store);
    let store = Arc::new(store);
    let bench = canvas_fixture_with(Arc::clone(&store) as Arc<dyn Store>, CanvasSettings::default()).await;
    (store, bench)
}

#[tokio::test]
async fn answers_are_correct_and_the_state_recovers_after_any_failed_commit() {
    for fault in [CommitFault::BeforeEffect, CommitFault::AfterEffect] {
        for nth in [1, 2, 10, 50] {
            let (store, bench) = faulty(|_| ()).await;
            store.fail(nth, fault);
            let answers = join_all((0..50).map(|rev| bench.command(set(rev, "n", rev)))).await;
            let head = bench.head().await;
            let expected = match fault {
                CommitFault::BeforeEffect => nth - 1,
                _ => 50,
            };
            assert_eq!(head, expected, "{fault:?} {nth}");
            for (base, answer) in (0..).zip(answers) {
                match answer {
                    Ok(answer) => assert!(answer.rev == base + 1 && answer.rev <= head),
                    Err(error) if base + 1 == nth => assert_eq!(error.code(), Code::BackendUnavailable),
                    Err(error) => {
                        assert_eq!(error.code(), Code::RevMismatch);
                        assert_eq!((error.member("head_rev"), fault), (Some(&json!(head)), CommitFault::BeforeEffect));
                    }
                }
            }
            assert_eq!(bench.command(set(head, "n", "after")).await.unwrap().rev, head + 1);
            assert_eq!(bench.replayed_state().await, json!({"n": "after"}));
        }
    }
}

#[tokio::test]
async fn a_retry_after_an_unknown_outcome_returns_the_real_outcome() {
    for (fault, replayed) in [(CommitFault::BeforeEffect, false), (CommitFault::AfterEffect, true)] {
        let (store, bench) = faulty(|_| ()).await;
        store.fail(1, fault);
        let error = bench.command(set(0, "a", 1).with_idempotency_key("k")).await.unwrap_err();
        assert_eq!(error.code(), Code::BackendUnavailable);
        let answer = bench.command(set(0, "a", 1).with_idempotency_key("k")).await.unwrap();
        assert_eq!((answer.rev, answer.replayed), (1, replayed));
        assert_eq!(bench.head().await, 1);
    }
}

#[tokio::test]
async fn rebasing_commands_after_a_failed_commit_are_retried() {
    let (store, bench) = faulty(|_| ()).await;
    store.fail(3, CommitFault::BeforeEffect);
    let answers = join_all((0..20).map(|n| bench.command(set(0, &format!("k{n}"), n).with_rebase()))).await;
    let failed = answers.iter().filter(|answer| answer.is_err()).count();
    assert_eq!(failed, 1);
    assert_eq!(bench.head().await, 19);
    assert_eq!(bench.replayed_state().await.as_object().unwrap().len(), 19);
}

#[tokio::test]
async fn rejections_wait_for_the_commits_they_depend_on() {
    let (store, bench) = faulty(|_| ()).await;
    let (store, bench) = (store, Arc::new(bench));
    bench.command(set(0, "a", 1)).await.unwrap();
    store.hold_commits();
    store.fail(1, CommitFault::BeforeEffect);
    let spawn = |command| {
        let bench = Arc::clone(&bench);
        tokio::spawn(async move { bench.command(command).await })
    };
    let doomed = spawn(set(1, "a", 2));
    tokio::task::yield_now().await;
    let stale = spawn(set(1, "a", 3));
    let invalid = engines_stream::canvas::CanvasCommand::new(2, &json!([{"op": "remove", "path": "/none"}])).unwrap();
    let invalid = spawn(invalid);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!stale.is_finished() && !invalid.is_finished());
    store.gate.add_permits(1000);
    assert_eq!(doomed.await.unwrap().unwrap_err().code(), Code::BackendUnavailable);
    // The commit that would have caused the conflict failed.
    assert_eq!(stale.await.unwrap().unwrap().rev, 2);
    // The rejection names the revision that is the head now.
    assert_eq!(invalid.await.unwrap().unwrap_err().code(), Code::OpInvalid);
    assert_eq!(bench.replayed_state().await, json!({"a": 3}));
}

#[tokio::test]
async fn a_dropped_caller_does_not_affect_others() {
    let (store, bench) = faulty(|_| ()).await;
    store.hold_commits();
    // Polled once: the command is sent, and then nobody waits for it.
    for rev in 0..10 {
        assert!(bench.command(set(rev, "n", rev)).now_or_never().is_none());
        tokio::task::yield_now().await;
    }
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    store.gate.add_permits(10_000);
    let head = bench.head().await;
    assert_eq!(bench.command(set(head, "n", "last")).await.unwrap().rev, head + 1);
    assert_eq!(bench.replayed_state().await, json!({"n": "last"}));
}

#[tokio::test]
async fn a_panicked_writer_is_replaced() {
    let (store, bench) = faulty(|_| ()).await;
    bench.command(set(0, "n", 0)).await.unwrap();
    store.fail(3, CommitFault::Panic);
    let answers =
        join_all((1..=10).map(|rev| bench.command(set(rev, "n", rev).with_idempotency_key(rev.to_string())))).await;
    let failed = answers.iter().filter_map(|answer| answer.as_ref().err());
    assert!(failed.clone().count() >= 8);
    // The caller does not know whether a command in flight is in the log.
    assert!(failed.map(engines_core::Error::code).all(|code| code == Code::OutcomeUnknown));
    // Each retried command is in the log once.
    for rev in 1..=10 {
        assert_eq!(bench.command(set(rev, "n", rev).with_idempotency_key(rev.to_string())).await.unwrap().rev, rev + 1);
    }
    assert_eq!(bench.head().await, 11);
    assert_eq!(bench.replayed_state().await, json!({"n": 10}));
}

#[tokio::test]
async fn commands_fail_with_unavailable_while_the_store_is_down() {
    let (store, bench) = faulty(|_| ()).await;
    bench.command(set(0, "n", 0)).await.unwrap();
    store.reads_fail.store(true, Ordering::SeqCst);
    store.fail(1, CommitFault::BeforeEffect);
    let answers = join_all((1..5).map(|rev| bench.command(set(rev, "n", rev)))).await;
    for answer in answers {
        assert_eq!(answer.unwrap_err().code(), Code::BackendUnavailable);
    }
    assert_eq!(bench.command(set(1, "n", 1)).await.unwrap_err().code(), Code::BackendUnavailable);
    store.reads_fail.store(false, Ordering::SeqCst);
    assert_eq!(bench.command(set(1, "n", 1)).await.unwrap().rev, 2);
    bench.replayed_state().await;
}

#[tokio::test]
async fn a_store_that_cannot_pipeline_gets_one_commit_at_a_time() {
    let (store, bench) = faulty(|store| store.pipelined = false).await;
    let answers = join_all((0..100).map(|rev| bench.command(set(rev, "n", rev)))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(store.most_in_flight.load(Ordering::SeqCst), 1);
    bench.replayed_state().await;
}

struct PanickingReducer;

impl Reducer for PanickingReducer {
    fn apply(&self, draft: &mut Draft<'_>, op: &Op) -> Result<(), OpFault> {
        draft.apply(op)?;
        assert!(!op.path().as_str().contains("bomb"), "a bad reducer");
        Ok(())
    }
}

#[tokio::test]
async fn a_panicking_reducer_fails_only_its_command() {
    let store: Arc<dyn Store> = memory();
    let guard = engines_core::Guard::allow_all().unwrap();
    let service =
        CanvasService::builder(Arc::clone(&store), guard, Arc::default()).reducer(Arc::new(PanickingReducer)).build();
    let ada = engines_core::testing::context("t_acme", "ada", engines_core::Role::Member).unwrap();
    let id = ResourceId::new("c1").unwrap();
    service.create(&ada, NewCanvas { canvas_id: Some(id.clone()), ..NewCanvas::default() }).await.unwrap();
    let commands = [set(0, "a", 1), set(1, "bomb", 1), set(1, "b", 1), set(2, "c", 1)];
    let answers = join_all(commands.map(|command| service.command(&ada, &id, command))).await;
    let codes: Vec<_> = answers.iter().map(|answer| answer.as_ref().err().map(engines_core::Error::code)).collect();
    assert_eq!(codes, [None, Some(Code::Internal), None, None]);
    assert_eq!(service.snapshot(&ada, &id, None).await.unwrap().state, json!({"a": 1, "b": 1, "c": 1}));
}
