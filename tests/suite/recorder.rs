//! The recorders: one that never waits and counts failures, and one that waits and returns them.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{sync::Arc, time::Duration};

use engines::{
    Code, Engine, IdGenerator, RequestContext, Role,
    core::{
        event::{EventFilter, EventLogEntry},
        nexus::PageRequest,
        testing::context,
    },
    recorder::{RecorderCounts, RecorderSettings},
    storage::{
        MemoryStore, Operation,
        fault_injection::{Fault, Faults, Faulty},
    },
};

async fn engine_with_faults(settings: RecorderSettings) -> (Engine, Faults) {
    let store = Faulty::new(Arc::new(MemoryStore::new(&IdGenerator::seeded(7))));
    let faults = store.faults().clone();
    (Engine::builder().store(Arc::new(store)).recorder(settings).build().await.unwrap(), faults)
}

fn ada() -> RequestContext {
    context("t_acme", "ada", Role::Member).unwrap()
}

fn entry(n: usize) -> EventLogEntry {
    EventLogEntry::new("s", "a").input("n", n)
}

async fn count_recorded(engine: &Engine) -> usize {
    engine.events().list(&ada(), &EventFilter::default(), PageRequest::first(10_000)).await.unwrap().items.len()
}

#[tokio::test]
async fn accepted_events_are_durable_after_a_flush() {
    let (engine, _) = engine_with_faults(RecorderSettings::default()).await;
    let ada = ada();
    assert!((0..500).all(|n| engine.recorder().record(&ada, entry(n))));
    engine.recorder().flush().await;
    assert_eq!(count_recorded(&engine).await, 500);
    assert_eq!(engine.recorder().counts(), RecorderCounts { accepted: 500, recorded: 500, dropped: 0, failed: 0 });
}

#[tokio::test]
async fn events_over_the_queue_limit_are_dropped_and_counted() {
    let (engine, faults) =
        engine_with_faults(RecorderSettings { queue: 4, in_flight: 2, ..RecorderSettings::default() }).await;
    faults.set_for_all(Operation::Commit, Some(Fault::Delayed(Duration::from_millis(5))));
    let ada = ada();
    let taken = (0..100).filter(|n| engine.recorder().record(&ada, entry(*n))).count();
    assert!((4..100).contains(&taken), "{taken}");
    engine.recorder().flush().await;
    let counts = engine.recorder().counts();
    let taken = u64::try_from(taken).unwrap();
    assert_eq!(counts, RecorderCounts { accepted: taken, recorded: taken, dropped: 100 - taken, failed: 0 });
    assert_eq!(count_recorded(&engine).await as u64, taken);

    let (engine, _) = engine_with_faults(RecorderSettings { queue_bytes: 10_000, ..RecorderSettings::default() }).await;
    let large = |bytes: usize| EventLogEntry::new("s", "a").input("text", "x".repeat(bytes));
    assert!(engine.recorder().record(&ada, large(8_000)));
    assert!(!engine.recorder().record(&ada, large(8_000)));
    engine.recorder().flush().await;
    assert!(engine.recorder().record(&ada, large(8_000)));
    assert!(!engine.recorder().record(&ada, large(10_000)));
}

#[tokio::test]
async fn failed_and_rejected_events_are_counted() {
    let (engine, faults) = engine_with_faults(RecorderSettings::default()).await;
    let viewer = context("t_acme", "eve", Role::Viewer).unwrap();
    assert!(engine.recorder().record(&viewer, entry(1)));
    assert!(engine.recorder().record(&ada(), EventLogEntry::new("", "a")));
    engine.recorder().flush().await;
    faults.set_for_all(Operation::Commit, Some(Fault::BeforeEffect));
    assert!(engine.recorder().record(&ada(), entry(2)));
    engine.recorder().flush().await;
    assert_eq!(engine.recorder().counts(), RecorderCounts { accepted: 3, recorded: 0, dropped: 0, failed: 3 });
    // The strict recorder returns the error.
    let strict = engine.strict_recorder(ada());
    assert_eq!(strict.record(entry(3)).await.unwrap_err().code(), Code::BackendUnavailable);
    faults.set_for_all(Operation::Commit, None);
    assert_eq!(strict.record(entry(3)).await.unwrap().seq.0, 1);
    let refused = engine.strict_recorder(viewer).record(entry(4)).await.unwrap_err();
    assert_eq!(refused.code(), Code::RoleInsufficient);
}

#[tokio::test]
async fn shutdown_records_queued_events_and_accepts_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("engines.db");
    let engine = Engine::builder().sqlite(&path).build().await.unwrap();
    let (ada, recorder) = (ada(), engine.recorder().clone());
    assert!((0..300).all(|n| recorder.record(&ada, entry(n))));
    engine.shutdown().await;
    assert_eq!(recorder.counts(), RecorderCounts { accepted: 300, recorded: 300, dropped: 0, failed: 0 });
    assert!(!recorder.record(&ada, entry(301)));
    recorder.flush().await;
    recorder.close().await;
    assert_eq!(recorder.counts().dropped, 1);
    drop(engine);
    let engine = Engine::builder().sqlite(&path).build().await.unwrap();
    assert_eq!(count_recorded(&engine).await, 300);
    engine.shutdown().await;
}
