//! The outbox loses no event when a sink, the store or the process fails, stops or restarts.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use engines_core::{
    Batch, CleanEvent, Clock, Code, DatasetEvent, Env, Error, IdGenerator, Role, Scope, Store,
    event::{EventStamp, scrub_event},
    nexus::{Backend, EventSink, SinkError},
    pii::Scrubber,
    testing::{self, ManualClock},
};
use engines_storage::{
    MemoryStore, NoopSink, Operation, conformance,
    event_log::privacy::PrivacyPolicies,
    fault_injection::{Fault, Faulty},
    outbox::{Outbox, OutboxHandle, OutboxSettings, OutboxStatus},
};

/// What a [`ScriptedSink`] does with a batch.
enum ScriptStep {
    Accept,
    NotReady,
    Reject(Vec<usize>),
    TakeAfter(Duration),
    Hang,
}

/// Follows a script, then accepts everything; records the batches that it was offered and those that it accepted.
#[derive(Default)]
struct ScriptedSink {
    name: &'static str,
    script: Mutex<VecDeque<ScriptStep>>,
    offered: Mutex<Vec<(String, Vec<String>)>>,
    accepted: Mutex<Vec<(String, String)>>,
}

impl ScriptedSink {
    fn new(name: &'static str, script: impl IntoIterator<Item = ScriptStep>) -> Arc<Self> {
        Arc::new(Self { name, script: Mutex::new(script.into_iter().collect()), ..Self::default() })
    }

    fn accepted_ids(&self) -> Vec<String> {
        self.accepted.lock().unwrap().iter().map(|(_, id)| id.clone()).collect()
    }

    fn offered(&self) -> Vec<(String, Vec<String>)> {
        self.offered.lock().unwrap().clone()
    }
}

impl std::fmt::Debug for ScriptedSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

#[async_trait]
impl EventSink for ScriptedSink {
    fn name(&self) -> &str {
        self.name
    }

    async fn write(&self, scope: &Scope, batch: &[CleanEvent]) -> Result<(), SinkError> {
        let ids: Vec<_> = batch.iter().map(|event| event.event_id().to_string()).collect();
        self.offered.lock().unwrap().push((scope.to_string(), ids.clone()));
        let step = self.script.lock().unwrap().pop_front().unwrap_or(ScriptStep::Accept);
        let rejected = match step {
            ScriptStep::Accept => Vec::new(),
            ScriptStep::NotReady => return Err(SinkError::Retry(Error::unavailable("sink", "down"))),
            ScriptStep::Reject(indexes) => indexes,
            ScriptStep::Hang => std::future::pending().await,
            ScriptStep::TakeAfter(wait) => {
                tokio::time::sleep(wait).await;
                Vec::new()
            }
        };
        let kept = ids.into_iter().enumerate().filter(|(index, _)| !rejected.contains(index));
        self.accepted.lock().unwrap().extend(kept.map(|(_, id)| (scope.to_string(), id)));
        if rejected.is_empty() {
            return Ok(());
        }
        Err(SinkError::Rejected { indexes: rejected, source: Error::new(Code::BodyInvalid, "sink", "no such column") })
    }
}

/// A store with injected faults, and everything needed to run an outbox on it.
struct OutboxFixture {
    store: Arc<Faulty<MemoryStore>>,
    ids: IdGenerator,
    clock: ManualClock,
    settings: OutboxSettings,
}

impl OutboxFixture {
    fn new() -> Self {
        let ids = IdGenerator::seeded(7);
        let store = Arc::new(Faulty::new(Arc::new(MemoryStore::new(&ids))));
        let settings = OutboxSettings { batch_events: 4, ..OutboxSettings::default() };
        Self { store, ids, clock: ManualClock::default(), settings }
    }

    /// Records events, each in its own batch; returns their ids.
    async fn record(&self, tenant: &str, count: usize) -> Vec<String> {
        let context = testing::context_in(tenant, Env::Dev, "ada", Default::default(), Role::Member).unwrap();
        let mut ids = Vec::new();
        for _ in 0..count {
            self.clock.advance(Duration::from_millis(1));
            let ts = self.clock.now();
            let actor = context.actor().clone();
            let stamp = EventStamp { event_id: self.ids.ulid(ts), ts, actor, train_ok: true };
            ids.push(stamp.event_id.to_string());
            let event = DatasetEvent { surface: "editor".into(), agent_id: "writer".into(), ..Default::default() };
            let scrubber: Scrubber = Default::default();
            let event = scrub_event(&scrubber, event, stamp, &context).unwrap();
            self.store.commit(context.scope(), Batch::new(ts).record(event)).await.unwrap();
        }
        ids
    }

    fn outbox(&self, sinks: Vec<Arc<dyn EventSink>>) -> Outbox {
        let store: Arc<dyn Backend> = self.store.clone();
        let clock = Arc::new(self.clock.clone());
        let policies = PrivacyPolicies::new(self.store.clone(), clock.clone(), Scrubber::default());
        Outbox::new(store, sinks, policies, clock, self.ids.clone(), self.settings.clone()).unwrap()
    }

    /// Runs an outbox until `enough` returns true, then stops it.
    async fn run(&self, sinks: Vec<Arc<dyn EventSink>>, enough: impl Fn(&[OutboxStatus]) -> bool) -> Vec<OutboxStatus> {
        let outbox = self.outbox(sinks);
        let handle = outbox.handle();
        let running = tokio::spawn(outbox.run());
        until(&handle, enough).await;
        handle.stop();
        running.await.unwrap();
        handle.status()
    }
}

/// Time is paused, so that a delay passes as soon as every task is waiting.
async fn until(handle: &OutboxHandle, enough: impl Fn(&[OutboxStatus]) -> bool) {
    for _ in 0..100_000 {
        if enough(&handle.status()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the outbox does not get there: {:?}", handle.status());
}

fn all_at(position: u64) -> impl Fn(&[OutboxStatus]) -> bool {
    move |statuses| statuses.iter().all(|status| status.position >= position)
}

#[tokio::test(start_paused = true)]
async fn everything_arrives_in_order_in_batches_of_one_scope() {
    let house = OutboxFixture::new();
    let (mut acme, mut beta) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        acme.extend(house.record("t_acme", 1).await);
        beta.extend(house.record("t_beta", 2).await);
    }
    let (sink, noop) = (ScriptedSink::new("one", []), Arc::new(NoopSink::default()));
    let statuses = house.run(vec![sink.clone(), noop.clone()], all_at(15)).await;
    for (tenant, ids) in [("t_acme/dev", &acme), ("t_beta/dev", &beta)] {
        let taken = sink.accepted.lock().unwrap();
        let of_scope: Vec<_> = taken.iter().filter(|(scope, _)| scope == tenant).map(|(_, id)| id.clone()).collect();
        assert_eq!(&of_scope, ids);
    }
    assert!(sink.offered().iter().all(|(_, ids)| (1..=4).contains(&ids.len())));
    assert_eq!(noop.events(), 15);
    assert_eq!(statuses[0].delivered, 15);
    assert_eq!((statuses[0].failures, statuses[0].rejected, statuses[0].failing), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_is_down_for_a_while_loses_nothing() {
    let house = OutboxFixture::new();
    let ids = house.record("t_acme", 6).await;
    let sink = ScriptedSink::new("one", (0..12).map(|_| ScriptStep::NotReady));
    let outbox = house.outbox(vec![sink.clone()]);
    let handle = outbox.handle();
    let running = tokio::spawn(outbox.run());
    until(&handle, |statuses| statuses[0].failing >= 3).await;
    let status = &handle.status()[0];
    assert_eq!((status.position, status.delivered, status.last_failure), (0, 0, Some(Code::BackendUnavailable)));
    assert!(status.waiting_since.is_some());
    until(&handle, all_at(6)).await;
    until(&handle, |statuses| statuses[0].waiting_since.is_none()).await;
    handle.stop();
    running.await.unwrap();
    assert_eq!(sink.accepted_ids(), ids);
    // While the sink was down, it was offered the same batch each time.
    assert!(sink.offered()[..13].iter().all(|offer| offer.1 == ids[..4]));
    assert_eq!((handle.status()[0].failures, handle.status()[0].failing), (12, 0));
}

#[tokio::test(start_paused = true)]
async fn a_crash_before_the_checkpoint_redelivers() {
    let house = OutboxFixture::new();
    let ids = house.record("t_acme", 6).await;
    let sink = ScriptedSink::new("one", []);
    // The sink accepts the first batch, and the process ends before the checkpoint is saved.
    house.store.faults().set_for_all(Operation::Commit, Some(Fault::BeforeEffect));
    let outbox = house.outbox(vec![sink.clone()]);
    let handle = outbox.handle();
    let running = tokio::spawn(outbox.run());
    until(&handle, |statuses| statuses[0].failing > 0).await;
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    assert_eq!(sink.accepted_ids(), ids[..4]);
    house.store.faults().set_for_all(Operation::Commit, None);
    house.run(vec![sink.clone()], all_at(6)).await;
    assert_eq!(sink.accepted_ids(), [&ids[..4], &ids[..]].concat());
}

#[tokio::test(start_paused = true)]
async fn a_checkpoint_with_an_unknown_outcome_is_reloaded() {
    let house = OutboxFixture::new();
    let ids = house.record("t_acme", 8).await;
    let sink = ScriptedSink::new("one", []);
    house.store.faults().inject(Operation::Commit, 1, Fault::AfterEffect);
    house.store.faults().inject(Operation::Get, 1, Fault::BeforeEffect);
    house.store.faults().inject(Operation::Feed, 2, Fault::BeforeEffect);
    let statuses = house.run(vec![sink.clone()], all_at(8)).await;
    assert_eq!(sink.accepted_ids(), ids);
    assert_eq!((statuses[0].failures, statuses[0].delivered), (3, 8));
}

#[tokio::test(start_paused = true)]
async fn a_slow_or_failing_sink_does_not_delay_others() {
    let house = OutboxFixture::new();
    let ids = house.record("t_acme", 8).await;
    let (dead, hanging, slow, well) = (
        ScriptedSink::new("dead", (0..100_000).map(|_| ScriptStep::NotReady)),
        ScriptedSink::new("hanging", [ScriptStep::Hang]),
        ScriptedSink::new("slow", (0..10).map(|_| ScriptStep::TakeAfter(Duration::from_secs(50)))),
        ScriptedSink::new("well", []),
    );
    let outbox = house.outbox(vec![dead.clone(), hanging.clone(), slow.clone(), well.clone()]);
    let handle = outbox.handle();
    let running = tokio::spawn(outbox.run());
    until(&handle, |statuses| statuses[3].position == 8).await;
    let positions: Vec<_> = handle.status().iter().map(|status| status.position).collect();
    assert_eq!(positions, [0, 0, 0, 8]);
    assert_eq!(well.accepted_ids(), ids);
    // A write that hangs is cancelled after the write timeout, and the batch is offered again.
    until(&handle, |statuses| statuses[1].position == 8 && statuses[2].position == 8).await;
    assert_eq!(hanging.accepted_ids(), ids);
    assert_eq!(handle.status()[1].failures, 1);
    handle.stop();
    running.await.unwrap();
    assert_eq!((handle.status()[0].position, dead.accepted_ids().len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn rejected_events_are_counted_and_skipped() {
    let house = OutboxFixture::new();
    let ids = house.record("t_acme", 8).await;
    let sink = ScriptedSink::new("one", [ScriptStep::Reject(vec![1, 3]), ScriptStep::Reject(vec![0, 0, 99])]);
    let statuses = house.run(vec![sink.clone()], all_at(8)).await;
    let wanted: Vec<_> = [0, 2, 5, 6, 7].map(|n: usize| ids[n].clone()).into();
    assert_eq!(sink.accepted_ids(), wanted);
    assert_eq!((statuses[0].rejected, statuses[0].delivered, statuses[0].failures), (3, 5, 0));
    assert_eq!(sink.offered().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_restart_resumes_at_the_checkpoint() {
    let house = OutboxFixture::new();
    let first = house.record("t_acme", 5).await;
    let sink = ScriptedSink::new("one", []);
    house.run(vec![sink.clone()], all_at(5)).await;
    let second = house.record("t_acme", 5).await;
    house.run(vec![sink.clone()], all_at(10)).await;
    assert_eq!(sink.accepted_ids(), [first.clone(), second.clone()].concat());
    // A sink that is added later gets everything, from the first event on.
    let late = ScriptedSink::new("late", []);
    house.run(vec![sink.clone(), late.clone()], all_at(10)).await;
    assert_eq!(late.accepted_ids(), [first, second].concat());
    assert_eq!(sink.accepted_ids().len(), 10);
}

#[tokio::test(start_paused = true)]
async fn stopping_finishes_the_current_batch() {
    let house = OutboxFixture::new();
    let ids = house.record("t_acme", 8).await;
    let sink = ScriptedSink::new("one", [ScriptStep::TakeAfter(Duration::from_secs(5))]);
    let outbox = house.outbox(vec![sink.clone()]);
    let handle = outbox.handle();
    let running = tokio::spawn(outbox.run());
    while sink.offered().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    handle.stop();
    running.await.unwrap();
    assert_eq!(sink.accepted_ids(), ids[..4]);
    assert_eq!(handle.status()[0].position, 4);
    house.run(vec![sink.clone()], all_at(8)).await;
    assert_eq!(sink.accepted_ids(), ids);
}

#[tokio::test(start_paused = true)]
async fn events_are_delivered_on_wake_up_or_at_the_poll_interval() {
    let mut house = OutboxFixture::new();
    house.settings.poll_interval = Duration::from_secs(100_000_000);
    let sink = ScriptedSink::new("one", []);
    let outbox = house.outbox(vec![sink.clone()]);
    let handle = outbox.handle();
    let running = tokio::spawn(outbox.run());
    let mut ids = Vec::new();
    for n in 1..=20 {
        ids.extend(house.record("t_acme", 1).await);
        handle.wake();
        until(&handle, all_at(n)).await;
    }
    handle.stop();
    running.await.unwrap();
    house.settings.poll_interval = Duration::from_secs(1);
    let outbox = house.outbox(vec![sink.clone()]);
    let handle = outbox.handle();
    let running = tokio::spawn(outbox.run());
    tokio::time::sleep(Duration::from_millis(100)).await;
    ids.extend(house.record("t_acme", 1).await);
    until(&handle, all_at(21)).await;
    handle.stop();
    running.await.unwrap();
    assert_eq!(sink.accepted_ids(), ids);
}

#[tokio::test(start_paused = true)]
async fn two_outboxes_on_one_store_lose_nothing() {
    let house = OutboxFixture::new();
    let ids = house.record("t_acme", 40).await;
    let sink = ScriptedSink::new("one", (0..20).map(|n| ScriptStep::TakeAfter(Duration::from_millis(n * 7 % 13))));
    let (one, two) = (house.outbox(vec![sink.clone()]), house.outbox(vec![sink.clone()]));
    let handles = [one.handle(), two.handle()];
    let running = [tokio::spawn(one.run()), tokio::spawn(two.run())];
    for handle in &handles {
        until(handle, all_at(40)).await;
        handle.stop();
    }
    for running in running {
        running.await.unwrap();
    }
    let mut taken = sink.accepted_ids();
    taken.sort_unstable();
    taken.dedup();
    assert_eq!(taken, ids);
}

#[tokio::test]
async fn invalid_and_duplicate_sink_names_are_rejected() {
    let house = OutboxFixture::new();
    let build = |names: &[&'static str]| {
        let sinks = names.iter().map(|name| ScriptedSink::new(name, []) as Arc<dyn EventSink>).collect();
        let clock = Arc::new(house.clock.clone());
        let ids = house.ids.clone();
        let policies = PrivacyPolicies::new(house.store.clone(), clock.clone(), Scrubber::default());
        Outbox::new(house.store.clone(), sinks, policies, clock, ids, OutboxSettings::default())
    };
    for names in [&[""][..], &["A"], &["a b"], &["a/b"], &["one", "one"]] {
        assert_eq!(build(names).unwrap_err().code(), Code::IdInvalid, "{names:?}");
    }
    assert!(build(&["_", "bigquery_2"]).is_ok());
}

/// Reads back what a scripted sink accepted.
#[derive(Debug)]
struct AcceptedEvents(Arc<ScriptedSink>);

#[async_trait]
impl conformance::ReadBack for AcceptedEvents {
    async fn event_ids(&self, scope: &Scope) -> engines_core::Result<Vec<String>> {
        let taken = self.0.accepted.lock().unwrap();
        Ok(taken.iter().filter(|(of, _)| *of == scope.to_string()).map(|(_, id)| id.clone()).collect())
    }
}

#[tokio::test(start_paused = true)]
async fn the_sink_suite_detects_faulty_sinks() {
    let noop = conformance::sink(Arc::new(NoopSink::default()), None).await.unwrap();
    assert_eq!((noop.passed.len(), noop.skipped.len()), (2, 3), "{noop}");
    let good = ScriptedSink::new("good", [ScriptStep::NotReady, ScriptStep::NotReady]);
    let report = conformance::sink(good.clone(), Some(Arc::new(AcceptedEvents(good)))).await.unwrap();
    assert_eq!((report.passed.len(), report.skipped.len()), (5, 0), "{report}");
    let bad: [(Arc<ScriptedSink>, &[&str]); 4] = [
        (ScriptedSink::new("Bad Name", []), &["sink::name"]),
        (ScriptedSink::new("forgets", [ScriptStep::Accept, ScriptStep::Reject(vec![0])]), &["sink::order_and_batches"]),
        (
            ScriptedSink::new("hangs", (0..5).map(|_| ScriptStep::Accept).chain([ScriptStep::Hang])),
            &["sink::same_batch_again"],
        ),
        (
            ScriptedSink::new("never", (0..1000).map(|_| ScriptStep::NotReady)),
            &["sink::order_and_batches", "sink::same_batch_again", "sink::scopes_apart", "sink::empty_batch"],
        ),
    ];
    for (sink, wanted) in bad {
        let failures = conformance::sink(sink.clone(), Some(Arc::new(AcceptedEvents(sink)))).await.unwrap_err();
        let failed: Vec<_> = failures.failed.iter().map(|failed| failed.case).collect();
        assert_eq!(failed, wanted, "{failures}");
    }
}
