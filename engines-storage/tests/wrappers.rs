//! The wrappers pass the conformance suite, and do what they are for.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::{sync::Arc, time::Duration};

use engines_core::{
    Batch, Code, DocId, Env, IdGenerator, Store,
    nexus::{
        Backend, CommitError, DocumentKind, DocumentQuery, EventFeed, Expect, ExpectedHead, NewDocument, PageRequest,
        Removal, StoreChange,
    },
    stream::{NewEvent, Seq, StreamKey},
    testing::{self, ManualClock},
};
use engines_storage::{
    MemoryStore, Metered, Operation, conformance,
    fault_injection::{Fault, Faulty},
    memory::MemoryLimits,
    metered::LATENCY_BOUNDS,
};
use futures_util::{FutureExt, StreamExt};

const NOTE: DocumentKind = DocumentKind::from_static("note");

fn memory() -> engines_core::Result<Arc<MemoryStore>> {
    // The bare store is tested with the default limits of bytes; smaller limits keep this test short.
    let limits = MemoryLimits { max_document_bytes: 1 << 20, max_batch_bytes: 4 << 20, ..MemoryLimits::default() };
    Ok(Arc::new(MemoryStore::with_limits(&IdGenerator::from_os()?, limits)))
}

fn put(id: &str, expect: Expect) -> Batch {
    let document = NewDocument::new(NOTE, DocId::new(id).unwrap(), &"text").unwrap();
    Batch::new(engines_core::Timestamp::default()).put(document, expect)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn faulty_without_faults_passes_the_conformance_suite() {
    conformance::run(|_| async { Ok(Arc::new(Faulty::new(memory()?)) as Arc<dyn Backend>) }).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn metered_passes_the_conformance_suite() {
    conformance::run(|_| async {
        // Over a trait object, as the server uses it.
        let inner: Arc<dyn Backend> = memory()?;
        Ok(Arc::new(Metered::new(inner)) as Arc<dyn Backend>)
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_commit_fails_before_or_after_its_effect() {
    let store = Faulty::new(memory().unwrap());
    let scope = testing::scope("t_acme", Env::Dev).unwrap();
    store.faults().inject(Operation::Commit, 2, Fault::BeforeEffect);
    store.faults().inject(Operation::Commit, 3, Fault::AfterEffect);
    assert!(store.commit(&scope, put("one", Expect::Absent)).await.is_ok());
    for (id, there) in [("two", false), ("three", true)] {
        match store.commit(&scope, put(id, Expect::Absent)).await {
            Err(CommitError::Backend(error)) if !there => assert_eq!(error.code(), Code::BackendUnavailable),
            Err(CommitError::Unknown(error)) if there => assert_eq!(error.code(), Code::OutcomeUnknown),
            answer => panic!("{id}: {answer:?}"),
        }
        assert_eq!(store.get(&scope, &NOTE, &DocId::new(id).unwrap()).await.unwrap().is_some(), there, "{id}");
    }
    assert!(store.commit(&scope, put("four", Expect::Absent)).await.is_ok());
    assert_eq!(store.faults().calls(Operation::Commit), 4);
}

#[tokio::test]
async fn every_operation_can_fail() {
    let store = Faulty::new(memory().unwrap());
    let scope = testing::scope("t_acme", Env::Dev).unwrap();
    let key: StreamKey = "canvas/c1".parse().unwrap();
    let once = engines_core::nexus::Idempotency {
        namespace: "r".into(),
        key: "k".into(),
        fingerprint: [0; 32],
        note: String::new(),
    };
    for down in [false, true, false] {
        store.faults().set_down(down);
        let ok = [
            store.commit(&scope, put("one", Expect::Any)).await.is_ok(),
            store.receipt(&scope, &once).await.is_ok(),
            store.get(&scope, &NOTE, &DocId::new("one").unwrap()).await.is_ok(),
            store.query(&scope, &DocumentQuery::of_kind(NOTE), PageRequest::first(1)).await.is_ok(),
            store.read(&scope, &key, Seq::ZERO, 1).await.is_ok(),
            store.head(&scope, &key).await.is_ok(),
            store.events(&scope, &Default::default(), PageRequest::first(1)).await.is_ok(),
            store.audit(&scope, &Default::default(), PageRequest::first(1)).await.is_ok(),
            store.ping().await.is_ok(),
            store.after(0, 1).await.is_ok(),
            store.remove(&scope, &Removal::Scope, 1, None).await.is_ok(),
            store.reclaim().await.is_ok(),
            store.scopes(None, 1).await.is_ok(),
        ];
        assert_eq!(ok, [!down; Operation::ALL.len()]);
    }
    for operation in Operation::ALL {
        assert_eq!(store.faults().calls(operation), 3, "{}", operation.as_str());
    }
}

#[tokio::test(start_paused = true)]
async fn reads_can_be_slow() {
    let store = Faulty::new(memory().unwrap());
    store.faults().set_for_all(Operation::Ping, Some(Fault::Delayed(Duration::from_secs(5))));
    assert!(tokio::time::timeout(Duration::from_secs(4), store.ping()).await.is_err());
    assert!(tokio::time::timeout(Duration::from_secs(6), store.ping()).await.is_ok());
    store.faults().set_for_all(Operation::Ping, None);
    assert!(store.ping().now_or_never().is_some());
}

#[tokio::test]
async fn wake_ups_can_be_lost() {
    let store = Faulty::new(memory().unwrap());
    let context = testing::context("t_acme", "ada", engines_core::Role::Owner).unwrap();
    let mut changes = store.changes();
    store.faults().lose_changes(1);
    for n in 0..2 {
        let data = serde_json::value::to_raw_value(&n).unwrap();
        let clock = engines_core::Clock::now(&ManualClock::default());
        let event = NewEvent::new(IdGenerator::seeded(n).ulid(clock), clock, "x", &context, data);
        let batch = Batch::new(clock).append("canvas/c1".parse().unwrap(), ExpectedHead::Any, vec![event]);
        store.commit(context.scope(), batch).await.unwrap();
    }
    assert!(matches!(changes.next().await, Some(StoreChange::Lagged)));
    assert!(matches!(changes.next().await, Some(StoreChange::Appended(_))));
}

#[tokio::test(start_paused = true)]
async fn calls_are_counted_by_how_they_end() {
    let faulty = Arc::new(Faulty::new(memory().unwrap()));
    let faults = faulty.faults().clone();
    let store = Metered::new(faulty);
    let scope = testing::scope("t_acme", Env::Dev).unwrap();
    faults.inject(Operation::Commit, 3, Fault::BeforeEffect);
    faults.inject(Operation::Commit, 4, Fault::Delayed(Duration::from_millis(3)));
    faults.inject(Operation::Commit, 5, Fault::Delayed(Duration::from_secs(60)));
    faults.inject(Operation::Commit, 6, Fault::Delayed(Duration::from_secs(60)));
    assert!(store.commit(&scope, put("one", Expect::Absent)).await.is_ok());
    assert!(store.commit(&scope, put("one", Expect::Absent)).await.is_err());
    assert!(store.commit(&scope, put("two", Expect::Absent)).await.is_err());
    assert!(store.commit(&scope, put("three", Expect::Absent)).await.is_ok());
    assert!(store.commit(&scope, put("four", Expect::Absent)).await.is_ok());
    assert!(
        tokio::time::timeout(Duration::from_secs(1), store.commit(&scope, put("five", Expect::Absent))).await.is_err()
    );
    assert!(store.query(&scope, &DocumentQuery::of_kind(NOTE), PageRequest::after(1, "!")).await.is_err());

    let commits = store.metrics().read(Operation::Commit);
    assert_eq!((commits.calls, commits.refused, commits.failed, commits.dropped), (6, 1, 1, 1));
    // Time is paused except for the injected delays.
    assert!((Duration::from_millis(60_003)..Duration::from_millis(60_010)).contains(&commits.total), "{commits:?}");
    assert_eq!(commits.buckets.iter().sum::<u64>(), 5);
    assert_eq!((commits.buckets[0], commits.buckets[LATENCY_BOUNDS.len()]), (3, 1));
    let queries = store.metrics().read(Operation::Query);
    assert_eq!((queries.calls, queries.refused, queries.failed, queries.dropped), (1, 1, 0, 0));
    assert_eq!(store.metrics().read(Operation::Ping), Default::default());
}
