//! Commands: which one wins, what the others are answered, and what a retry gets.

use std::sync::Arc;

use crate::fixture::{canvas_fixture, canvas_fixture_with, memory, set};
use engines_core::{Code, Limits, ResourceId, Role, audit::AuditFilter, nexus::PageRequest, testing};
use engines_stream::canvas::{CanvasCommand, CanvasSettings, CommandStatus};
use futures_util::future::join_all;
use serde_json::{Value, json};

#[tokio::test]
async fn a_command_makes_one_commit_one_event_and_one_audit_record() {
    let bench = canvas_fixture().await;
    let answer = bench.command(set(0, "title", "Plan")).await.unwrap();
    assert_eq!((answer.status, answer.rev, answer.head_rev, answer.replayed), (CommandStatus::Applied, 1, 1, false));
    let wire = serde_json::to_value(&answer).unwrap();
    assert_eq!(wire["status"], "applied");
    assert_eq!(wire["commit_id"], wire["event_id"]);
    let events = bench
        .store
        .read(bench.ada.scope(), &engines_core::StreamKey::canvas(&bench.id), engines_core::stream::Seq(0), 10)
        .await
        .unwrap();
    assert_eq!(events.len(), 1);
    let event = &events[0];
    assert_eq!((event.seq.0, &*event.event.event_type, event.event.event_id), (1, "canvas_commit", answer.event_id));
    let data: Value = serde_json::from_str(event.event.data.get()).unwrap();
    assert_eq!(data["rev"], 1);
    assert_eq!(data["base_rev"], 0);
    assert!(!event.event.data.get().contains('\n'));
    let audit = bench.store.audit(bench.ada.scope(), &AuditFilter::default(), PageRequest::first(10)).await.unwrap();
    let actions: Vec<_> = audit.items.iter().map(|entry| entry.action.as_ref()).collect();
    assert_eq!(actions, ["canvas.create", "canvas.command"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_concurrent_commands_one_commits_and_the_others_get_rev_mismatch() {
    let bench = Arc::new(canvas_fixture().await);
    bench.command(set(0, "n", 0)).await.unwrap();
    let racers = (0..64).map(|racer| {
        let bench = Arc::clone(&bench);
        tokio::spawn(async move { bench.command(set(1, "n", racer)).await })
    });
    let answers: Vec<_> = join_all(racers).await.into_iter().map(Result::unwrap).collect();
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    let winner = won[0].as_ref().unwrap();
    for error in lost {
        let error = error.unwrap_err();
        assert_eq!(error.code(), Code::RevMismatch);
        assert_eq!(error.member("base_rev"), Some(&json!(1)));
        assert_eq!(error.member("head_rev"), Some(&json!(2)));
        assert_eq!(error.member("snapshot_ref"), Some(&json!("/canvas/c1/snapshot?rev=2")));
        let since = error.member("ops_since_base").unwrap().as_array().unwrap();
        assert_eq!(since.len(), 1);
        assert_eq!(since[0]["rev"], 2);
        assert_eq!(since[0]["commit_id"], json!(winner.commit_id));
        assert_eq!(since[0]["actor_id"], "ada");
        assert_eq!(since[0]["ops"][0]["path"], "/n");
    }
    assert_eq!(bench.head().await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_commands_in_flight_are_applied_in_order() {
    const COMMANDS: u64 = 10_000;
    let bench = canvas_fixture().await;
    bench.command(set(0, "log", json!([]))).await.unwrap();
    let add = |rev: u64| CanvasCommand::new(rev, &json!([{"op": "add", "path": "/log/-", "value": rev}])).unwrap();
    let answers = join_all((1..=COMMANDS).map(|rev| bench.command(add(rev)))).await;
    for (rev, answer) in (2..).zip(answers) {
        assert_eq!(answer.unwrap().rev, rev);
    }
    let state = bench.replayed_state().await;
    let log: Vec<u64> = state["log"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect();
    assert_eq!(log, (1..=COMMANDS).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_retry_with_the_same_key_returns_the_first_answer() {
    let bench = canvas_fixture().await;
    let first = bench.command(set(0, "a", 1).with_idempotency_key("k1")).await.unwrap();
    let check = |again: engines_stream::canvas::CommandAnswer| {
        assert!(again.replayed);
        assert_eq!(again, engines_stream::canvas::CommandAnswer { replayed: true, ..first.clone() });
    };
    check(bench.command(set(0, "a", 1).with_idempotency_key("k1")).await.unwrap());
    bench.command(set(1, "b", 1)).await.unwrap();
    check(bench.command(set(0, "a", 1).with_idempotency_key("k1")).await.unwrap());
    // From another node, or after a restart.
    let other = crate::fixture::service(&bench.store, CanvasSettings::default());
    check(other.command(&bench.ada, &bench.id, set(0, "a", 1).with_idempotency_key("k1")).await.unwrap());
    assert_eq!(bench.head().await, 2);
}

#[tokio::test]
async fn a_key_used_for_another_body_is_refused_at_any_base() {
    let bench = canvas_fixture().await;
    bench.command(set(0, "a", 1).with_idempotency_key("k1")).await.unwrap();
    for command in [set(0, "a", 2), set(1, "a", 1), set(1, "b", 1), set(7, "a", 1), set(0, "a", 1).with_rebase()] {
        let error = bench.command(command.with_idempotency_key("k1")).await.unwrap_err();
        assert_eq!(error.code(), Code::IdempotencyMismatch);
    }
    let invalid = CanvasCommand::new(1, &json!([{"op": "remove", "path": "/x"}])).unwrap().with_idempotency_key("k1");
    assert_eq!(bench.command(invalid).await.unwrap_err().code(), Code::IdempotencyMismatch);
    // The rejected command has changed nothing.
    assert_eq!(bench.command(set(1, "b", 1)).await.unwrap().rev, 2);
}

#[tokio::test]
async fn idempotency_keys_are_per_actor() {
    let bench = canvas_fixture().await;
    bench.command(set(0, "a", 1).with_idempotency_key("k1")).await.unwrap();
    let bob = testing::context("t_acme", "bob", Role::Member).unwrap();
    let error = bench.service.command(&bob, &bench.id, set(0, "a", 1).with_idempotency_key("k1")).await.unwrap_err();
    assert_eq!(error.code(), Code::RevMismatch);
    let answer = bench.service.command(&bob, &bench.id, set(1, "a", 2).with_idempotency_key("k1")).await.unwrap();
    assert_eq!((answer.rev, answer.replayed), (2, false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_retries_with_one_key_commit_once() {
    let bench = Arc::new(canvas_fixture().await);
    let tries = (0..32).map(|_| {
        let bench = Arc::clone(&bench);
        tokio::spawn(async move { bench.command(set(0, "a", 1).with_idempotency_key("k")).await.unwrap() })
    });
    let answers: Vec<_> = join_all(tries).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    assert!(answers.iter().all(|answer| answer.rev == 1));
    assert_eq!(bench.head().await, 1);
}

#[tokio::test]
async fn a_rebase_requires_untouched_paths() {
    let bench = canvas_fixture().await;
    bench.command(set(0, "nodes", json!({"a": {"text": "x"}, "b": {}}))).await.unwrap();
    bench.command(set(1, "nodes/a/text", "y")).await.unwrap();
    let answer = bench.command(set(1, "nodes/b/text", "z").with_rebase().with_idempotency_key("r")).await.unwrap();
    assert_eq!((answer.status, answer.rev), (CommandStatus::Rebased, 3));
    let again = bench.command(set(1, "nodes/b/text", "z").with_rebase().with_idempotency_key("r")).await.unwrap();
    assert_eq!((again.status, again.rev, again.replayed), (CommandStatus::Rebased, 3, true));
    for path in ["nodes/a/text", "nodes/a", "nodes", "nodes/b"] {
        let error = bench.command(set(1, path, "w").with_rebase()).await.unwrap_err();
        assert_eq!(error.code(), Code::RevMismatch, "{path}");
        assert_eq!(error.member("head_rev"), Some(&json!(3)));
    }
    let whole = CanvasCommand::new(1, &json!([{"op": "replace", "path": "", "value": {}}])).unwrap().with_rebase();
    assert_eq!(bench.command(whole).await.unwrap_err().code(), Code::RevMismatch);
    let beyond = bench.command(set(9, "other", 1).with_rebase()).await.unwrap_err();
    assert_eq!(beyond.code(), Code::RevMismatch);
    let at_head = bench.command(set(3, "nodes/a/text", "v").with_rebase()).await.unwrap();
    assert_eq!(at_head.status, CommandStatus::Applied);
    bench.replayed_state().await;
}

#[tokio::test]
async fn a_rebase_falls_back_to_the_log() {
    let settings = CanvasSettings { recent_commits: 2, rebase_commits: 50, ..CanvasSettings::default() };
    let bench = canvas_fixture_with(memory(), settings.clone()).await;
    for rev in 0..40 {
        bench.command(set(rev, &format!("k{rev}"), rev)).await.unwrap();
    }
    assert_eq!(bench.command(set(0, "free", 1).with_rebase()).await.unwrap().rev, 41);
    assert_eq!(bench.command(set(0, "k3", 1).with_rebase()).await.unwrap_err().code(), Code::RevMismatch);
    // A new node has no commits in memory.
    let other = crate::fixture::service(&bench.store, settings);
    assert_eq!(other.command(&bench.ada, &bench.id, set(0, "free2", 1).with_rebase()).await.unwrap().rev, 42);
    for rev in 42..60 {
        bench.command(set(rev, "k", rev)).await.unwrap();
    }
    let too_old = bench.command(set(0, "free3", 1).with_rebase()).await.unwrap_err();
    assert_eq!(too_old.code(), Code::RevMismatch);
    bench.replayed_state().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_rebases_on_disjoint_paths_all_succeed() {
    let bench = Arc::new(canvas_fixture().await);
    let everybody = (0..300).map(|who| {
        let bench = Arc::clone(&bench);
        tokio::spawn(async move { bench.command(set(0, &format!("p{who}"), who).with_rebase()).await.unwrap().rev })
    });
    let mut revs: Vec<_> = join_all(everybody).await.into_iter().map(Result::unwrap).collect();
    revs.sort_unstable();
    assert_eq!(revs, (1..=300).collect::<Vec<_>>());
    assert_eq!(bench.replayed_state().await.as_object().unwrap().len(), 300);
}

#[tokio::test]
async fn an_invalid_op_is_reported_by_index_and_changes_nothing() {
    let bench = canvas_fixture().await;
    bench.command(set(0, "a", "text")).await.unwrap();
    let ops = json!([{"op": "add", "path": "/b", "value": 1}, {"op": "remove", "path": "/secret@example.com"}]);
    let error = bench.command(CanvasCommand::new(1, &ops).unwrap()).await.unwrap_err();
    assert_eq!(error.code(), Code::OpInvalid);
    assert_eq!(error.member("index"), Some(&json!(1)));
    assert_eq!(error.member("reason"), Some(&json!("path_not_found")));
    assert!(!format!("{error} {error:?}").contains("secret@"));
    assert_eq!(bench.head().await, 1);
    assert_eq!(bench.replayed_state().await, json!({"a": "text"}));
    let unknown = CanvasCommand::new(1, &json!([{"op": "explode", "path": "/a"}])).unwrap();
    assert_eq!(bench.command(unknown).await.unwrap_err().member("index"), Some(&json!(0)));
    let many: Vec<_> = (0..1001).map(|_| json!({"op": "test", "path": "/a", "value": "text"})).collect();
    let error = bench.command(CanvasCommand::new(1, &many).unwrap()).await.unwrap_err();
    assert_eq!((error.code(), error.member("index")), (Code::OpInvalid, Some(&json!(1000))));
}

#[tokio::test]
async fn command_bodies_decode_as_documented() {
    let full = json!({
        "v": 1, "command_id": "cmd-1", "idempotency_key": "k", "base_rev": 0, "correlation_id": "corr", "run_id": null,
        "intent": {"label": "l", "why": "w", "origin": "agent"}, "on_conflict": "rebase", "unknown": [1],
        "routing": {"tenant_id": "t_acme", "env": "DEV", "canvas_id": "c1", "session_id": "s1"},
        "ops": [{"op": "add", "path": "/a", "value": "x", "extra": 1}],
    });
    let text = serde_json::to_string_pretty(&full).unwrap();
    let bench = canvas_fixture().await;
    bench.command(serde_json::from_str(&text).unwrap()).await.unwrap();
    let commits = bench.service.commits(&bench.ada, &bench.id, 0, 10).await.unwrap();
    let wire = serde_json::to_value(&commits.items[0]).unwrap();
    assert_eq!(wire["intent"], json!({"label": "l", "why": "w", "origin": "agent"}));
    assert_eq!(wire["ops"], json!([{"op": "add", "path": "/a", "value": "x"}]));
    assert_eq!(wire["actor_type"], "human");
    assert_eq!(wire["command_id"], "cmd-1");

    for (field, bad) in
        [("base_rev", json!("1")), ("base_rev", json!(-1)), ("on_conflict", json!("merge")), ("ops", Value::Null)]
    {
        let mut body = full.clone();
        match bad {
            Value::Null => drop(body.as_object_mut().unwrap().remove(field)),
            bad => body[field] = bad,
        }
        assert!(serde_json::from_str::<CanvasCommand>(&body.to_string()).is_err(), "{field}");
    }
    let refused = |change: Value| {
        let mut body = full.clone();
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        serde_json::from_str::<CanvasCommand>(&body.to_string()).unwrap()
    };
    for (change, code) in [
        (json!({"v": 2}), Code::BodyInvalid),
        (json!({"ops": []}), Code::BodyInvalid),
        (json!({"ops": {}}), Code::OpInvalid),
        (json!({"idempotency_key": ""}), Code::BodyInvalid),
        (json!({"correlation_id": "x".repeat(300)}), Code::BodyInvalid),
        (json!({"routing": {"tenant_id": "t_other"}}), Code::ContextMismatch),
        (json!({"routing": {"canvas_id": "c2"}}), Code::ContextMismatch),
        (json!({"ops": [{"op": "add", "path": "/a", "value": "x".repeat(256 << 10)}]}), Code::BodyTooLarge),
    ] {
        assert_eq!(bench.command(refused(change.clone())).await.unwrap_err().code(), code, "{change}");
    }
    assert_eq!(bench.head().await, 1);
}

#[tokio::test]
async fn viewers_and_unknown_canvases_are_rejected() {
    let bench = canvas_fixture().await;
    let viewer = testing::context("t_acme", "eve", Role::Viewer).unwrap();
    let error = bench.service.command(&viewer, &bench.id, set(0, "a", 1)).await.unwrap_err();
    assert_eq!(error.code(), Code::RoleInsufficient);
    let stranger = testing::context("t_other", "ada", Role::Owner).unwrap();
    let error = bench.service.command(&stranger, &bench.id, set(0, "a", 1)).await.unwrap_err();
    assert_eq!(error.code(), Code::NotFound);
    let nowhere = ResourceId::new("c9").unwrap();
    let error = bench.service.command(&bench.ada, &nowhere, set(0, "a", 1)).await.unwrap_err();
    assert_eq!(error.code(), Code::NotFound);
}

#[tokio::test]
async fn rev_mismatch_lists_commits_within_its_limits() {
    let store: Arc<dyn engines_core::Store> = memory();
    let bench = canvas_fixture_with(Arc::clone(&store), CanvasSettings::default()).await;
    let limits = Limits { mismatch_commits: 5, mismatch_bytes: 1000, ..Limits::default() };
    let guard = engines_core::Guard::allow_all().unwrap();
    let service = engines_stream::canvas::CanvasService::new(store, guard, Arc::new(limits));
    for rev in 0..6 {
        bench.command(set(rev, "a", rev)).await.unwrap();
    }
    let listed = |base: u64| {
        let (service, bench) = (&service, &bench);
        async move {
            let error = service.command(&bench.ada, &bench.id, set(base, "b", 1)).await.unwrap_err();
            assert_eq!(error.code(), Code::RevMismatch);
            assert!(error.member("snapshot_ref").is_some());
            error.member("ops_since_base").map(|ops| ops.as_array().unwrap().len())
        }
    };
    assert_eq!(listed(0).await, None);
    assert_eq!(listed(1).await, Some(5));
    assert_eq!(listed(7).await, None);
    bench.command(set(6, "a", "x".repeat(1000))).await.unwrap();
    assert_eq!(listed(6).await, None);
    assert_eq!(listed(5).await, None);
}
