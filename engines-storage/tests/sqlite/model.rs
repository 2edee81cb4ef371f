//! Random writes, trims, deletions and removals on the memory store and the SQLite store, compared with a simple
//! model.

use std::{collections::BTreeMap, sync::Arc};

use engines_core::{
    DatasetEvent, DocId, IdGenerator, RequestContext, Role, Scope, StreamKey, Timestamp,
    audit::{AuditEntry, AuditFilter, AuditOutcome},
    event::{EventFilter, EventStamp, scrub_event},
    nexus::{
        Backend, Batch, CommitError, DocumentKind, DocumentQuery, Expect, ExpectedHead, FailedPrecondition,
        Idempotency, NewDocument, PageRequest, Removal,
    },
    pii::Scrubber,
    stream::{NewEvent, Seq},
    testing,
};
use engines_storage::{MemoryStore, SqliteOptions, SqliteStore};
use proptest::{
    prelude::*,
    test_runner::{Config, RngSeed},
};
use serde_json::value::RawValue;

use crate::fixture::canvas;

const NOTE: DocumentKind = DocumentKind::from_static("note");
const SCOPES: usize = 3;

#[derive(Debug, Clone)]
enum ModelOp {
    Append { stream: u8, events: u8, key: Option<u8> },
    Trim { stream: u8, part: u8 },
    DeleteStream { stream: u8 },
    Put { id: u8, expect_stream: Option<u8> },
    Delete { id: u8 },
    Record { surface: u8 },
    Audit,
    RemoveEvents { surface: Option<u8>, before: Option<u8>, limit: u8 },
    RemoveReceipts { before: u8, limit: u8 },
    RemoveAudit { before: u8, limit: u8 },
    RemoveScope { limit: u8 },
    Reclaim,
    Reopen,
}

fn op() -> impl Strategy<Value = ModelOp> {
    let limit = 1..20_u8;
    prop_oneof![
        8 => (0..3_u8, 1..4_u8, proptest::option::of(0..6_u8))
            .prop_map(|(stream, events, key)| ModelOp::Append { stream, events, key }),
        2 => (0..3_u8, any::<u8>()).prop_map(|(stream, part)| ModelOp::Trim { stream, part }),
        1 => (0..3_u8).prop_map(|stream| ModelOp::DeleteStream { stream }),
        4 => (0..5_u8, proptest::option::of(0..3_u8)).prop_map(|(id, expect_stream)| ModelOp::Put { id, expect_stream }),
        2 => (0..5_u8).prop_map(|id| ModelOp::Delete { id }),
        6 => (0..3_u8).prop_map(|surface| ModelOp::Record { surface }),
        3 => Just(ModelOp::Audit),
        2 => (proptest::option::of(0..3_u8), proptest::option::of(any::<u8>()), limit.clone())
            .prop_map(|(surface, before, limit)| ModelOp::RemoveEvents { surface, before, limit }),
        1 => (any::<u8>(), limit.clone()).prop_map(|(before, limit)| ModelOp::RemoveReceipts { before, limit }),
        1 => (any::<u8>(), limit.clone()).prop_map(|(before, limit)| ModelOp::RemoveAudit { before, limit }),
        1 => limit.prop_map(|limit| ModelOp::RemoveScope { limit }),
        1 => Just(ModelOp::Reclaim),
        1 => Just(ModelOp::Reopen),
    ]
}

#[derive(Debug, Default, Clone)]
struct ModelStream {
    head: u64,
    /// Sequence and text.
    events: Vec<(u64, String)>,
    deleted: bool,
}

/// The content of a scope.
#[derive(Debug, Default, Clone)]
struct Model {
    streams: BTreeMap<u8, ModelStream>,
    documents: BTreeMap<u8, (u64, String)>,
    /// Sequence, surface, time.
    events: Vec<(u64, u8, i64)>,
    last_event: u64,
    audit: Vec<(String, i64)>,
    /// Stream key, sequence of the event, time.
    receipts: Vec<(u8, u8, u64, i64)>,
}

/// A store, its model, and a clock that advances by a second with every step.
struct ModelRun {
    store: Arc<dyn Backend>,
    model: Vec<Model>,
    now: i64,
    ids: IdGenerator,
    contexts: Vec<RequestContext>,
}

impl ModelRun {
    fn new(store: Arc<dyn Backend>) -> Self {
        let contexts = (0..SCOPES).map(|n| testing::context(&format!("t_{n}"), "ada", Role::Owner).unwrap()).collect();
        let model = vec![Model::default(); SCOPES];
        Self { store, model, now: 0, ids: IdGenerator::seeded(7), contexts }
    }

    fn at(&self) -> Timestamp {
        Timestamp::from_secs(1_770_000_000 + self.now)
    }

    /// Returns a time in the past: `part` of 255 of the elapsed time.
    fn past(&self, part: u8) -> Timestamp {
        Timestamp::from_secs(1_770_000_000 + self.now * i64::from(part) / 255)
    }

    async fn remove(&self, scope: &Scope, removal: Removal, limit: u8) -> u64 {
        let (mut total, mut after) = (0, None);
        loop {
            let step = self.store.remove(scope, &removal, limit.into(), after.as_deref()).await.unwrap();
            assert!(step.removed <= u64::from(limit));
            total += step.removed;
            if step.done {
                return total;
            }
            after = step.position;
        }
    }

    async fn take(&mut self, place: usize, op: &ModelOp) {
        self.now += 1;
        let (at, scope) = (self.at(), self.contexts[place].scope().clone());
        let context = self.contexts[place].clone();
        let model = &mut self.model[place];
        match op {
            ModelOp::Append { stream, events, key } => {
                let texts: Vec<_> = (0..*events).map(|n| format!("\"{}.{n}\"", self.now)).collect();
                let new = texts.iter().map(|text| {
                    let data = RawValue::from_string(text.clone()).unwrap();
                    NewEvent::new(self.ids.ulid(at), at, "canvas_commit", &context, data)
                });
                let name = stream_key(*stream);
                let mut batch = Batch::new(at).append(name.clone(), ExpectedHead::Any, new.collect());
                if let Some(key) = key {
                    batch = batch.with_idempotency(once(*stream, *key));
                }
                let answer = self.store.commit(&scope, batch).await;
                let known = model.receipts.iter().find(|(of, known, ..)| of == stream && Some(*known) == *key);
                let entry = model.streams.entry(*stream).or_default();
                match (known, entry.deleted) {
                    (Some((_, _, last, _)), _) => {
                        let receipt = answer.unwrap();
                        assert!(receipt.replayed);
                        assert_eq!(receipt.appended[0].last, Seq(*last));
                    }
                    (None, true) => deleted(answer.map(drop), &name),
                    (None, false) => {
                        for text in texts {
                            entry.head += 1;
                            entry.events.push((entry.head, text));
                        }
                        let receipt = answer.unwrap();
                        assert_eq!(receipt.appended[0].last, Seq(entry.head));
                        if let Some(key) = key {
                            model.receipts.push((*stream, *key, entry.head, at.as_millis()));
                        }
                    }
                }
            }
            ModelOp::Trim { stream, part } => {
                let entry = model.streams.entry(*stream).or_default();
                let first = entry.head * u64::from(*part) / 255 + 1;
                self.store.commit(&scope, Batch::new(at).trim(stream_key(*stream), Seq(first))).await.unwrap();
                entry.events.retain(|(seq, _)| *seq >= first);
            }
            ModelOp::DeleteStream { stream } => {
                let name = stream_key(*stream);
                let answer = self.store.commit(&scope, Batch::new(at).delete_stream(name.clone())).await;
                let entry = model.streams.entry(*stream).or_default();
                if entry.deleted {
                    deleted(answer.map(drop), &name);
                } else {
                    answer.unwrap();
                    (entry.deleted, entry.events) = (true, Vec::new());
                    model.receipts.retain(|(of, ..)| of != stream);
                    // These are removed in the background.
                    for key in 0..6 {
                        while self.store.receipt(&scope, &once(*stream, key)).await.unwrap().is_some() {
                            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                        }
                    }
                }
            }
            ModelOp::Put { id, expect_stream } => {
                let body = format!("\"{}\"", self.now);
                let document = NewDocument {
                    kind: NOTE,
                    id: doc(*id),
                    tags: vec!["all".to_owned()],
                    body: RawValue::from_string(body.clone()).unwrap(),
                };
                let mut batch = Batch::new(at).put(document, Expect::Any);
                if let Some(stream) = expect_stream {
                    batch = batch.expect_stream(stream_key(*stream));
                }
                let answer = self.store.commit(&scope, batch).await;
                match expect_stream.filter(|stream| model.streams.get(stream).is_some_and(|stream| stream.deleted)) {
                    Some(stream) => deleted(answer.map(drop), &stream_key(stream)),
                    None => {
                        let version = model.documents.get(id).map_or(1, |(version, _)| version + 1);
                        assert_eq!(answer.unwrap().versions, [version]);
                        model.documents.insert(*id, (version, body));
                    }
                }
            }
            ModelOp::Delete { id } => {
                self.store.commit(&scope, Batch::new(at).delete(NOTE, doc(*id), Expect::Any)).await.unwrap();
                model.documents.remove(id);
            }
            ModelOp::Record { surface } => {
                let event = DatasetEvent {
                    surface: format!("s{surface}"),
                    agent_id: "agent".into(),
                    ..DatasetEvent::default()
                };
                // Every third event is late.
                let ts = if self.now % 3 == 0 { Timestamp::from_millis(at.as_millis() - 20_000) } else { at };
                let stamp =
                    EventStamp { event_id: self.ids.ulid(at), ts, actor: context.actor().clone(), train_ok: true };
                let event = scrub_event(&Scrubber::default(), event, stamp, &context).unwrap();
                let receipt = self.store.commit(&scope, Batch::new(at).record(event)).await.unwrap();
                model.last_event += 1;
                assert_eq!(receipt.recorded[0].seq(), Some(Seq(model.last_event)));
                model.events.push((model.last_event, *surface, ts.as_millis()));
            }
            ModelOp::Audit => {
                let resource = format!("r{}", self.now);
                let entry = AuditEntry::new(self.ids.ulid(at), at, &context, "a", resource.clone(), AuditOutcome::Done);
                self.store.commit(&scope, Batch::new(at).audit(entry)).await.unwrap();
                model.audit.push((resource, at.as_millis()));
            }
            ModelOp::RemoveEvents { surface, before, limit } => {
                let until = before.map(|part| self.past(part));
                let filter = EventFilter { surface: surface.map(|n| format!("s{n}")), until, ..EventFilter::default() };
                let model = &mut self.model[place];
                let count = model.events.len();
                model.events.retain(|(_, of, ts)| {
                    surface.is_some_and(|surface| surface != *of) || until.is_some_and(|until| *ts >= until.as_millis())
                });
                let gone = (count - model.events.len()) as u64;
                let removal = Removal::Events { filter, delivered: None };
                assert_eq!(self.remove(&scope, removal, *limit).await, gone);
            }
            ModelOp::RemoveReceipts { before, limit } => {
                let before = self.past(*before);
                let model = &mut self.model[place];
                let count = model.receipts.len();
                model.receipts.retain(|(.., at)| *at >= before.as_millis());
                let gone = (count - model.receipts.len()) as u64;
                assert_eq!(self.remove(&scope, Removal::Receipts { before }, *limit).await, gone);
            }
            ModelOp::RemoveAudit { before, limit } => {
                let before = self.past(*before);
                let model = &mut self.model[place];
                let old = model.audit.iter().filter(|(_, at)| *at < before.as_millis()).count();
                let gone = old.min(model.audit.len().saturating_sub(1));
                model.audit.drain(..gone);
                assert_eq!(self.remove(&scope, Removal::Audit { before }, *limit).await, gone as u64);
            }
            ModelOp::RemoveScope { limit } => {
                self.model[place] = Model::default();
                self.remove(&scope, Removal::Scope, *limit).await;
            }
            ModelOp::Reclaim => drop(self.store.reclaim().await.unwrap()),
            ModelOp::Reopen => {}
        }
    }

    async fn compare(&self) {
        let mut fed = Vec::new();
        for (model, context) in self.model.iter().zip(&self.contexts) {
            let scope = context.scope();
            for n in 0..3 {
                let wanted = model.streams.get(&n).cloned().unwrap_or_default();
                let head = self.store.head(scope, &stream_key(n)).await.unwrap();
                assert_eq!((head.seq.0, head.deleted), (wanted.head, wanted.deleted));
                let events = self.store.read(scope, &stream_key(n), Seq::ZERO, 10_000).await.unwrap();
                let events: Vec<_> =
                    events.iter().map(|event| (event.seq.0, event.event.data.get().to_owned())).collect();
                assert_eq!(events, wanted.events);
                for key in 0..6 {
                    let wanted = model.receipts.iter().any(|(of, known, ..)| (*of, *known) == (n, key));
                    let found = self.store.receipt(scope, &once(n, key)).await.unwrap().is_some();
                    assert_eq!(found, wanted, "the receipt {key} of stream {n}");
                }
            }
            for query in [DocumentQuery::of_kind(NOTE), DocumentQuery::of_kind(NOTE).tag("all")] {
                let documents = self.store.query(scope, &query, PageRequest::first(500)).await.unwrap().items;
                let documents: Vec<_> = documents
                    .iter()
                    .map(|document| (document.id.to_string(), document.version, document.body.get().to_owned()))
                    .collect();
                let wanted: Vec<_> = model
                    .documents
                    .iter()
                    .map(|(id, (version, body))| (doc(*id).to_string(), *version, body.clone()))
                    .collect();
                assert_eq!(documents, wanted);
            }
            let events =
                self.store.events(scope, &EventFilter::default(), PageRequest::first(10_000)).await.unwrap().items;
            let events: Vec<_> = events.iter().map(|event| event.seq.0).collect();
            assert_eq!(events, model.events.iter().map(|(seq, ..)| *seq).collect::<Vec<_>>());
            fed.extend(events.into_iter().map(|seq| (scope.tenant().to_string(), seq)));
            let audit =
                self.store.audit(scope, &AuditFilter::default(), PageRequest::first(10_000)).await.unwrap().items;
            let audit: Vec<_> = audit.into_iter().map(|entry| entry.resource).collect();
            assert_eq!(audit, model.audit.iter().map(|(resource, _)| resource.clone()).collect::<Vec<_>>());
        }
        let mut feed: Vec<_> = self.store.after(0, 10_000).await.unwrap();
        assert!(feed.windows(2).all(|pair| pair[0].position < pair[1].position));
        feed.sort_by_key(|item| (item.scope.tenant().to_string(), item.event.seq));
        let feed: Vec<_> = feed.iter().map(|item| (item.scope.tenant().to_string(), item.event.seq.0)).collect();
        assert_eq!(feed, fed);
    }
}

fn deleted(answer: Result<(), CommitError>, key: &StreamKey) {
    match answer {
        Err(CommitError::Precondition { failed: FailedPrecondition::Deleted { key: named }, .. }) => {
            assert_eq!(named, *key)
        }
        answer => panic!("a write to a deleted stream: {answer:?}"),
    }
}

fn stream_key(n: u8) -> StreamKey {
    canvas(&format!("c{n}"))
}

fn doc(n: u8) -> DocId {
    format!("d{n}").parse().unwrap()
}

fn once(stream: u8, key: u8) -> Idempotency {
    Idempotency {
        namespace: format!("{}/ada", stream_key(stream)),
        key: format!("k{key}"),
        fingerprint: [key; 32],
        note: String::new(),
    }
}

fn config() -> Config {
    Config { cases: 48, rng_seed: RngSeed::Fixed(20_260_801), failure_persistence: None, ..Config::default() }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

fn ops() -> impl Strategy<Value = Vec<(usize, ModelOp)>> {
    proptest::collection::vec((0..SCOPES, op()), 1..80)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_memory_store_behaves_like_the_model(ops in ops()) {
        runtime().block_on(async {
            let mut run = ModelRun::new(Arc::new(MemoryStore::new(&IdGenerator::seeded(1))));
            for (place, op) in &ops {
                run.take(*place, op).await;
            }
            run.compare().await;
        });
    }

    #[test]
    fn the_sqlite_store_behaves_like_the_model(ops in ops()) {
        runtime().block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let open = || SqliteStore::open(folder.path().join("engines.db"), SqliteOptions::default()).unwrap();
            let mut store = Arc::new(open());
            let mut run = ModelRun::new(store.clone());
            for (place, op) in &ops {
                if let ModelOp::Reopen = op {
                    store.close().await;
                    run.store = Arc::new(MemoryStore::new(&IdGenerator::seeded(1)));
                    drop(store);
                    store = Arc::new(open());
                    run.store = store.clone();
                }
                run.take(*place, op).await;
            }
            run.compare().await;
        });
    }
}
