//! Dataset events in process: each is recorded once, and sinks are notified at once.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use engines::{
    Code, Engine, IdGenerator, Limits, Role, Scope,
    core::{
        event::{CleanEvent, EventFilter, EventLogEntry},
        nexus::{EventSink, PageRequest, SinkError},
        pii::{Operator, Policy},
        testing::context,
    },
    storage::{
        MemoryStore,
        event_log::{LineResult, privacy::NewPolicy},
        outbox::OutboxSettings,
    },
};
use proptest::prelude::*;
use serde_json::json;

/// One step of a client: a batch of lines, or one event. Each event is a key and a text.
#[derive(Debug, Clone)]
enum EventStep {
    Batch(u8, Vec<(u8, u8)>),
    Single(u8, (u8, u8)),
}

fn steps() -> impl Strategy<Value = Vec<EventStep>> {
    let event = || (0_u8..6, 0_u8..3);
    let step = prop_oneof![
        (0_u8..2, proptest::collection::vec(event(), 1..12)).prop_map(|(user, events)| EventStep::Batch(user, events)),
        (0_u8..2, event()).prop_map(|(user, event)| EventStep::Single(user, event)),
    ];
    proptest::collection::vec(step, 1..10)
}

/// Of the texts with one key of a user, only the first is recorded, in whatever order they are sent, and all answers
/// have the same id.
async fn check_each_once(steps: Vec<EventStep>, at_once: bool) {
    let limits = Limits { batch_group: 3, ..Limits::default() };
    let engine = Engine::builder().memory().limits(limits).build().await.unwrap();
    let mut tasks = Vec::new();
    for step in steps.clone() {
        let engine = engine.clone();
        let run = async move {
            let who = |user: u8| context("t_acme", &format!("u{user}"), Role::Member).unwrap();
            match step {
                EventStep::Single(user, (key, text)) => {
                    let entry = EventLogEntry::new("s", "a").input("text", text).idempotency_key(key.to_string());
                    let outcome = engine.events().record(&who(user), entry.into()).await;
                    vec![(user, key, text, outcome)]
                }
                EventStep::Batch(user, events) => {
                    let line = |(key, text): &(u8, u8)| json!({ "surface": "s", "agent_id": "a", "input": { "text": text }, "output": {}, "idempotency_key": key.to_string() });
                    let text: String = events.iter().map(|event| format!("{}\n", line(event))).collect();
                    let mut batch = engine.events().batch(&who(user), None).await.unwrap();
                    let mut told: Vec<LineResult> = Vec::new();
                    for piece in text.as_bytes().chunks(97) {
                        assert!(batch.push(piece).await.unwrap());
                        told.extend(batch.results());
                    }
                    told.extend(batch.finish(None).await.unwrap().0);
                    assert!(told.iter().zip(1..).all(|(told, line)| told.line == line));
                    assert_eq!(told.len(), events.len());
                    events.into_iter().zip(told).map(|((key, text), told)| (user, key, text, told.outcome)).collect()
                }
            }
        };
        match at_once {
            true => tasks.push(tokio::spawn(run)),
            false => tasks.push(tokio::spawn(std::future::ready(run.await))),
        }
    }
    let mut known = BTreeMap::new();
    let mut mismatches = Vec::new();
    for task in tasks {
        for (user, key, text, outcome) in task.await.unwrap() {
            match outcome {
                Ok(recorded) => {
                    let first = known.entry((user, key)).or_insert((text, recorded.event_id, recorded.seq));
                    assert_eq!(*first, (text, recorded.event_id, recorded.seq));
                }
                Err(error) => {
                    assert_eq!(error.code(), Code::IdempotencyMismatch);
                    mismatches.push((user, key, text));
                }
            }
        }
    }
    for (user, key, text) in mismatches {
        assert_ne!(known.get(&(user, key)).unwrap().0, text);
    }
    let reader = context("t_acme", "reader", Role::Viewer).unwrap();
    let all = engine.events().list(&reader, &EventFilter::default(), PageRequest::first(1000)).await.unwrap().items;
    let ids: BTreeSet<_> = all.iter().map(|event| event.event_id).collect();
    assert_eq!(ids, known.values().map(|(_, event_id, _)| *event_id).collect());
    assert_eq!(all.len(), ids.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn each_event_is_recorded_once(steps in steps(), at_once in any::<bool>()) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(check_each_once(steps, at_once));
    }
}

/// What a sink received of each event: the recorder, and whether training is allowed.
#[derive(Debug, Clone, Default)]
struct CollectingSink(Arc<Mutex<Vec<(String, bool)>>>);

#[async_trait::async_trait]
impl EventSink for CollectingSink {
    fn name(&self) -> &str {
        "told"
    }

    async fn write(&self, _: &Scope, batch: &[CleanEvent]) -> Result<(), SinkError> {
        let told = batch.iter().map(|event| (event.actor().id.to_string(), event.train_ok()));
        self.0.lock().unwrap().extend(told);
        Ok(())
    }
}

#[tokio::test]
async fn a_sink_gets_an_earlier_opt_out_and_no_email_address() {
    let store = Arc::new(MemoryStore::new(&IdGenerator::seeded(7)));
    let engine = Engine::builder().store(store.clone()).build().await.unwrap();
    let entry = || EventLogEntry::new("s", "a").into();
    let (ada, bob) =
        (context("t_acme", "ada@example.org", Role::Member).unwrap(), context("t_acme", "bob", Role::Admin).unwrap());
    for who in [&ada, &bob, &ada] {
        assert!(engine.events().record(who, entry()).await.unwrap().train_ok);
    }
    engine.train_prefs().set_user(&ada, &ada.actor().id, true).await.unwrap();
    // Events wait for a sink that is added later.
    let told = CollectingSink::default();
    let engine = Engine::builder().store(store).sink(told.clone()).build().await.unwrap();
    while told.0.lock().unwrap().len() < 3 {
        tokio::task::yield_now().await;
    }
    engine.shutdown().await;
    let mailbox = || ("[EMAIL_ADDRESS]".to_owned(), false);
    assert_eq!(*told.0.lock().unwrap(), [mailbox(), ("bob".to_owned(), true), mailbox()]);
    // An export names no user either, and still finds the preference of the user it does not name.
    engine.train_prefs().unset_user(&ada).await.unwrap();
    let policy = NewPolicy { version: None, policy: Policy { default: Operator::Drop, ..Policy::default() } };
    for actor in ["[EMAIL_ADDRESS]", "[REMOVED]"] {
        let mut export = engine.events().export(&bob, EventFilter::default()).await.unwrap();
        let text = String::from_utf8(export.next_chunk().await.unwrap().unwrap()).unwrap();
        let actors: Vec<_> = text.lines().map(|line| line.split("\"actor_id\":\"").nth(1).unwrap()).collect();
        assert!(actors[0].starts_with(actor) && actors[1].starts_with("bob"), "{text}");
        assert!(text.lines().count() == 3 && !text.contains('@'), "{text}");
        engine.privacy().set_policy(&bob, policy.clone()).await.unwrap();
    }
    // Callers who may read the event log see the user.
    let listed = engine.events().list(&bob, &EventFilter::default(), PageRequest::first(1)).await.unwrap();
    assert_eq!(listed.items[0].actor.id.as_str(), "ada@example.org");
}

#[derive(Debug, Clone, Default)]
struct CountingSink(Arc<Mutex<usize>>);

#[async_trait::async_trait]
impl EventSink for CountingSink {
    fn name(&self) -> &str {
        "kept"
    }

    async fn write(&self, _: &Scope, batch: &[CleanEvent]) -> Result<(), SinkError> {
        *self.0.lock().unwrap() += batch.len();
        Ok(())
    }
}

#[tokio::test]
async fn sinks_receive_events_without_polling() {
    let kept = CountingSink::default();
    // Without the notification it would poll a day later.
    let settings = OutboxSettings { poll_interval: Duration::from_secs(86_400), ..OutboxSettings::default() };
    let engine = Engine::builder().memory().sink(kept.clone()).outbox(settings).build().await.unwrap();
    let ada = context("t_acme", "ada", Role::Member).unwrap();
    let reaches = async |count: usize| {
        while *kept.0.lock().unwrap() < count {
            tokio::task::yield_now().await;
        }
    };
    engine.events().record(&ada, EventLogEntry::new("s", "a").into()).await.unwrap();
    reaches(1).await;
    let mut batch = engine.events().batch(&ada, None).await.unwrap();
    let line = format!("{}\n", json!({ "surface": "s", "agent_id": "a", "input": {}, "output": {} }));
    batch.push(line.repeat(3).as_bytes()).await.unwrap();
    batch.finish(None).await.unwrap();
    reaches(4).await;
    assert!(engine.recorder().record(&ada, EventLogEntry::new("s", "a")));
    reaches(5).await;
    engine.shutdown().await;
}
