//! The history: states at every revision, commits, replays; gestures are not part of it.

use std::sync::{Arc, Mutex};

use engines_core::{
    Batch, Code, ResourceId, Result, Role, Scope, StreamKey, Timestamp,
    command::{CommandLimits, JsonReducer, Op, SizedDocument, apply_batch, state_hash},
    nexus::{DocumentKind, DocumentQuery, Expect, NewDocument, PageRequest},
    stream::{NewEvent, Seq},
    testing,
};
use engines_stream::{
    EphemeralSink,
    canvas::{CanvasCommand, CanvasService, CanvasSettings, NewCanvas, NewGesture},
};
use serde_json::{Value, json};

use crate::fixture::{CanvasFixture, canvas_fixture, canvas_fixture_with, memory, service, set};

/// Settings with which snapshots are stored and answers are cut early.
fn small_settings() -> CanvasSettings {
    CanvasSettings { snapshot_bytes: 200, replay_commits: 7, ..CanvasSettings::default() }
}

/// Makes thirty commits of different kinds.
async fn edited_canvas(settings: CanvasSettings) -> CanvasFixture {
    let bench = canvas_fixture_with(memory(), settings).await;
    bench.command(set(0, "text", "")).await.unwrap();
    for rev in 1..30 {
        let op = match rev % 3 {
            0 => json!({"op": "insert_text", "path": "/text", "pos": 0, "text": format!("é{rev}")}),
            1 => json!({"op": "add", "path": format!("/n{rev}"), "value": {"rev": rev}}),
            _ => json!({"op": "remove", "path": format!("/n{}", rev - 1)}),
        };
        bench.command(CanvasCommand::new(rev, &[op]).unwrap()).await.unwrap();
    }
    bench
}

async fn snapshots(bench: &CanvasFixture) -> Vec<String> {
    let query = DocumentQuery::of_kind(DocumentKind::new("canvas_snapshot").unwrap());
    let found = bench.store.query(bench.ada.scope(), &query, PageRequest::first(100)).await.unwrap();
    found.items.iter().map(|document| document.id.to_string()).collect()
}

#[tokio::test]
async fn the_snapshot_at_every_revision_equals_the_replay() {
    let bench = edited_canvas(small_settings()).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(snapshots(&bench).await.len() >= 2, "snapshots are kept on the way");
    let mut state = SizedDocument::new(json!({})).unwrap();
    let commits = bench.service.commits(&bench.ada, &bench.id, 0, 100).await.unwrap();
    assert_eq!((commits.items.len(), commits.next), (30, None));
    // A new node reads what the old one stored.
    for reader in [&bench.service, &service(&bench.store, small_settings())] {
        let first = reader.snapshot(&bench.ada, &bench.id, Some(0)).await.unwrap();
        assert_eq!((first.rev, first.state), (0, json!({})));
    }
    for commit in &commits.items {
        let ops: Vec<Op> = serde_json::from_str(commit.ops.get()).unwrap();
        apply_batch(&JsonReducer, &mut state, &ops, &CommandLimits::for_replay()).unwrap();
        let snapshot = bench.service.snapshot(&bench.ada, &bench.id, Some(commit.rev)).await.unwrap();
        assert_eq!(&snapshot.state, state.value());
        assert_eq!(snapshot.state_hash, state_hash(state.value()));
    }
    let error = bench.service.snapshot(&bench.ada, &bench.id, Some(31)).await.unwrap_err();
    assert_eq!((error.code(), error.member("head_rev")), (Code::NotFound, Some(&json!(30))));
}

#[tokio::test]
async fn snapshots_of_canvases_with_similar_ids_do_not_mix() {
    let bench = canvas_fixture_with(memory(), small_settings()).await;
    let alike = ResourceId::new("c1.5").unwrap();
    let new = NewCanvas { canvas_id: Some(alike.clone()), ..NewCanvas::default() };
    bench.service.create(&bench.ada, new).await.unwrap();
    for rev in 0..20 {
        bench.service.command(&bench.ada, &alike, set(rev, "other", "x".repeat(100))).await.unwrap();
        bench.command(set(rev, "own", rev)).await.unwrap();
        tokio::task::yield_now().await;
    }
    let cold = service(&bench.store, small_settings());
    let snapshot = cold.snapshot(&bench.ada, &bench.id, None).await.unwrap();
    assert_eq!(snapshot.state, json!({"own": 19}));
    assert_eq!(cold.command(&bench.ada, &bench.id, set(20, "own", "on")).await.unwrap().rev, 21);
    bench.replayed_state().await;
}

#[tokio::test]
async fn commits_come_in_pages() {
    let bench = edited_canvas(CanvasSettings::default()).await;
    let (mut after, mut seen) = (0, Vec::new());
    loop {
        let page = bench.service.commits(&bench.ada, &bench.id, after, 7).await.unwrap();
        assert!(page.items.len() <= 7);
        seen.extend(page.items.iter().map(|commit| commit.rev));
        let Some(next) = page.next else { break };
        after = next.parse().unwrap();
    }
    assert_eq!(seen, (1..=30).collect::<Vec<_>>());
    for beyond in [30, 31, u64::MAX] {
        let page = bench.service.commits(&bench.ada, &bench.id, beyond, 7).await.unwrap();
        assert_eq!((page.items.len(), page.next), (0, None));
    }
}

#[tokio::test]
async fn a_replay_continues_across_pages() {
    let bench = edited_canvas(small_settings()).await;
    let (mut from, mut commits, mut hash) = (0, Vec::new(), None);
    loop {
        let replay = bench.service.replay(&bench.ada, &bench.id, Some(from), None).await.unwrap();
        assert_eq!(replay.from_rev, from);
        assert_eq!((replay.keyframes[0].rev, replay.keyframes[1].rev), (from, replay.to_rev));
        assert!(hash.is_none_or(|hash| hash == replay.keyframes[0].state_hash));
        hash = Some(replay.keyframes[1].state_hash.clone());
        commits.extend(replay.commits.iter().map(|commit| commit.rev));
        match replay.next {
            Some(next) => from = next,
            None => break,
        }
    }
    assert_eq!(commits, (1..=30).collect::<Vec<_>>());
    let part = bench.service.replay(&bench.ada, &bench.id, Some(5), Some(8)).await.unwrap();
    assert_eq!((part.commits.len(), part.to_rev, part.next), (3, 8, None));
    let point = bench.service.replay(&bench.ada, &bench.id, Some(5), Some(5)).await.unwrap();
    assert_eq!((point.commits.len(), point.keyframes.len()), (0, 1));
    let clamped = bench.service.replay(&bench.ada, &bench.id, Some(29), Some(999)).await.unwrap();
    assert_eq!((clamped.to_rev, clamped.commits.len()), (30, 1));
    let code = |from, to| {
        let bench = &bench;
        async move { bench.service.replay(&bench.ada, &bench.id, Some(from), Some(to)).await.unwrap_err().code() }
    };
    assert_eq!(code(8, 5).await, Code::BodyInvalid);
    assert_eq!(code(31, 40).await, Code::NotFound);
}

#[tokio::test]
async fn trimmed_commits_are_reported_and_later_ones_still_read() {
    let bench = edited_canvas(small_settings()).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let kept = snapshots(&bench).await;
    let newest: u64 = kept.last().unwrap().rsplit('.').next().unwrap().parse().unwrap();
    let trim = Batch::new(Timestamp::default()).trim(StreamKey::canvas(&bench.id), Seq(newest + 1));
    bench.store.commit(bench.ada.scope(), trim).await.unwrap();
    let cold = service(&bench.store, small_settings());
    assert_eq!(cold.snapshot(&bench.ada, &bench.id, None).await.unwrap().rev, 30);
    assert_eq!(cold.snapshot(&bench.ada, &bench.id, Some(1)).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(cold.commits(&bench.ada, &bench.id, 1, 10).await.unwrap_err().code(), Code::ReplayMiss);
    let rest = cold.commits(&bench.ada, &bench.id, 0, 100).await.unwrap();
    assert_eq!(rest.items.first().map(|commit| commit.rev), (newest < 30).then_some(newest + 1));
    let error = cold.command(&bench.ada, &bench.id, set(0, "x", 1)).await.unwrap_err();
    assert_eq!(error.code(), Code::RevMismatch);
    assert_eq!(error.member("ops_since_base"), None);
    let rebase = cold.command(&bench.ada, &bench.id, set(0, "x", 1).with_rebase()).await.unwrap_err();
    assert_eq!(rebase.code(), Code::RevMismatch);
    assert_eq!(cold.command(&bench.ada, &bench.id, set(30, "x", 1)).await.unwrap().rev, 31);
}

#[tokio::test]
async fn a_canvas_id_can_be_created_once() {
    let bench = canvas_fixture().await;
    let body = json!({"canvas_id": "c2", "workspace_id": "w1", "meta": {"a": [1]}, "routing": null});
    let new: NewCanvas = serde_json::from_value(body).unwrap();
    let made = bench.service.create(&bench.ada, new.clone()).await.unwrap();
    assert_eq!(bench.service.get(&bench.ada, &made.canvas_id).await.unwrap(), made);
    let wire = serde_json::to_value(&made).unwrap();
    assert_eq!((&wire["canvas_id"], &wire["head_rev"], &wire["workspace_id"]), (&json!("c2"), &json!(0), &json!("w1")));
    assert_eq!(bench.service.create(&bench.ada, new).await.unwrap_err().code(), Code::AlreadyExists);
    let unnamed = bench.service.create(&bench.ada, NewCanvas::default()).await.unwrap();
    assert_eq!(unnamed.canvas_id.as_str().len(), 26);
    let stranger = testing::context("t_other", "eve", Role::Owner).unwrap();
    assert_eq!(bench.service.get(&stranger, &made.canvas_id).await.unwrap_err().code(), Code::NotFound);
    let reads = [
        bench.service.snapshot(&stranger, &made.canvas_id, None).await.map(drop),
        bench.service.commits(&stranger, &made.canvas_id, 0, 1).await.map(drop),
        bench.service.replay(&stranger, &made.canvas_id, None, None).await.map(drop),
    ];
    assert!(reads.into_iter().all(|read| read.unwrap_err().code() == Code::NotFound));
}

#[derive(Default)]
struct RecordingSink(Mutex<Vec<(String, NewEvent)>>);

#[async_trait::async_trait]
impl EphemeralSink for RecordingSink {
    async fn publish(&self, _: &Scope, key: &StreamKey, event: NewEvent) -> Result<()> {
        self.0.lock().unwrap().push((key.to_string(), event));
        Ok(())
    }
}

#[tokio::test]
async fn gestures_are_published_and_not_stored() {
    let bench = canvas_fixture().await;
    let audience = Arc::new(RecordingSink::default());
    let guard = engines_core::Guard::allow_all().unwrap();
    let live = CanvasService::builder(Arc::clone(&bench.store), guard, Arc::default())
        .ephemeral_sink(Arc::clone(&audience) as _)
        .build();
    let gesture = |kind: &str, data: Value| NewGesture {
        kind: kind.into(),
        data,
        routing: Default::default(),
        claims: Default::default(),
    };
    live.gesture(&bench.ada, &bench.id, gesture("cursor", json!({"x": 1}))).await.unwrap();
    let (key, event) = audience.0.lock().unwrap().remove(0);
    assert_eq!((key.as_str(), &*event.event_type), ("canvas/c1", "gesture"));
    assert_eq!(event.data.get(), r#"{"kind":"cursor","data":{"x":1}}"#);
    assert_eq!(event.meta, engines_core::stream::EventMeta::ephemeral());
    assert_eq!(bench.head().await, 0);
    let code = |gesture: NewGesture, id: &str| {
        let (live, bench, id) = (&live, &bench, ResourceId::new(id).unwrap());
        async move { live.gesture(&bench.ada, &id, gesture).await.unwrap_err().code() }
    };
    assert_eq!(code(gesture("cursor", "x".repeat(20_000).into()), "c1").await, Code::BodyTooLarge);
    assert_eq!(code(gesture("", Value::Null), "c1").await, Code::BodyInvalid);
    assert_eq!(code(gesture("cursor", Value::Null), "c9").await, Code::NotFound);
    // A gesture without subscribers is not an error.
    bench.service.gesture(&bench.ada, &bench.id, gesture("cursor", Value::Null)).await.unwrap();
}

#[tokio::test]
async fn the_check_names_a_snapshot_that_disagrees_with_the_log() {
    let bench = edited_canvas(small_settings()).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let checked = bench.service.check(&bench.ada, &bench.id).await.unwrap();
    assert_eq!((checked.head_rev, checked.commits), (30, 30));
    assert!(checked.snapshots >= 2, "{checked:?}");
    let query = DocumentQuery::of_kind(DocumentKind::new("canvas_snapshot").unwrap());
    let mut found = bench.store.query(bench.ada.scope(), &query, PageRequest::first(100)).await.unwrap().items;
    let last = found.pop().unwrap();
    let mut body: Value = last.decode().unwrap();
    let rev = body["rev"].clone();
    body["state"]["text"] = "changed".into();
    let mut changed = NewDocument::new(last.kind, last.id, &body).unwrap();
    changed.tags = last.tags;
    let batch = Batch::new(Timestamp::from_secs(1)).put(changed, Expect::Present);
    bench.store.commit(bench.ada.scope(), batch).await.unwrap();
    let error = bench.service.check(&bench.ada, &bench.id).await.unwrap_err();
    assert_eq!((error.code(), error.member("rev")), (Code::HashMismatch, Some(&rev)));
    assert_eq!(error.member("canvas_id"), Some(&json!("c1")));
}
