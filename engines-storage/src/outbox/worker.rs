//! The worker that delivers to one sink.

use std::{collections::HashMap, pin::pin, sync::Arc, time::Duration};

use engines_core::{
    CleanEvent, Clock, Code, Error, ErrorKind, IdGenerator, Scope, UserId,
    event::{StoredEvent, rescrub},
    nexus::{Backend, EventSink, FeedItem, SinkError},
    pii::Scrubber,
};
use futures_util::future::{Either, select};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    OutboxSettings,
    checkpoint::{Checkpoint, CheckpointStore, SaveOutcome},
    status::SharedStatus,
};
use crate::event_log::{privacy::PrivacyPolicies, training_allowed};

/// The action for which a policy may set operators that apply to events sent to sinks.
const POLICY_ACTION: &str = "sink";

/// The outbox was told to stop.
pub(super) struct StopRequested;

pub(super) struct SinkWorker {
    pub(super) store: Arc<dyn Backend>,
    pub(super) sink: Arc<dyn EventSink>,
    pub(super) checkpoints: CheckpointStore,
    pub(super) policies: PrivacyPolicies,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) ids: IdGenerator,
    pub(super) settings: OutboxSettings,
    pub(super) status: Arc<SharedStatus>,
    pub(super) wake: watch::Receiver<u64>,
    pub(super) stop: CancellationToken,
}

impl SinkWorker {
    /// Delivers events until the outbox is told to stop. Cancel-safe: events after the last saved checkpoint are
    /// delivered again.
    pub(super) async fn run(mut self) -> StopRequested {
        match self.deliver_all().await {
            Ok(never) => match never {},
            Err(stopped) => stopped,
        }
    }

    async fn deliver_all(&mut self) -> Result<std::convert::Infallible, StopRequested> {
        let mut place = self.load_checkpoint().await?;
        loop {
            // Before the feed is read, so that a wake-up during the read causes another read.
            self.wake.mark_unchanged();
            let chunk = self.read_feed(place).await?;
            let Some(last) = chunk.last().map(|item| item.position) else {
                self.status.update(|status| status.waiting_since = None);
                self.wait_for_work().await?;
                continue;
            };
            self.status.update(|status| status.waiting_since = chunk.first().map(|item| item.event.ts));
            for (scope, events) in group_by_scope(chunk) {
                let Some(scrubber) = self.load_scrubber(&scope).await? else {
                    self.status.update(|status| status.withheld += events.len() as u64);
                    continue;
                };
                let events = self.apply_opt_outs(&scope, events).await?;
                let batch = self.scrub(&scrubber, events);
                if !batch.is_empty() {
                    self.deliver(&scope, &batch).await?;
                }
            }
            place = self.save_checkpoint(place, last).await?;
        }
    }

    async fn load_checkpoint(&mut self) -> Result<Checkpoint, StopRequested> {
        let mut failures = 0;
        loop {
            self.check_stop()?;
            match self.checkpoints.load(&*self.store).await {
                Ok(place) => {
                    self.mark_healthy(place);
                    return Ok(place);
                }
                Err(error) => self.back_off(&mut failures, "load", &error).await?,
            }
        }
    }

    async fn read_feed(&mut self, place: Checkpoint) -> Result<Vec<FeedItem>, StopRequested> {
        let mut failures = 0;
        loop {
            self.check_stop()?;
            match self.store.after(place.position, self.settings.batch_events.max(1)).await {
                Ok(chunk) => {
                    self.mark_healthy(place);
                    return Ok(chunk);
                }
                Err(error) => self.back_off(&mut failures, "read", &error).await?,
            }
        }
    }

    /// Returns the scrubber for this scope's current policy; `None` when the policy is invalid. Retries while the
    /// store is unavailable.
    async fn load_scrubber(&mut self, scope: &Scope) -> Result<Option<Scrubber>, StopRequested> {
        let mut failures = 0;
        loop {
            self.check_stop()?;
            match self.policies.scrubber(scope).await {
                Ok(scrubber) => return Ok(Some(scrubber.for_action(POLICY_ACTION))),
                Err(error) if error.kind() == ErrorKind::Unavailable => {
                    self.back_off(&mut failures, "policy", &error).await?;
                }
                Err(error) => {
                    tracing::error!(sink = self.sink.name(), %scope, code = %error.code(), "a policy cannot be applied; its tenant's events are withheld");
                    return Ok(None);
                }
            }
        }
    }

    /// Clears `train_ok` on events whose actor has opted out of training since they were recorded. Retries while the
    /// store is unavailable.
    async fn apply_opt_outs(
        &mut self,
        scope: &Scope,
        mut events: Vec<StoredEvent>,
    ) -> Result<Vec<StoredEvent>, StopRequested> {
        let mut known: HashMap<UserId, bool> = HashMap::new();
        for event in events.iter_mut().filter(|event| event.train_ok) {
            event.train_ok = match known.get(&event.actor.id) {
                Some(known) => *known,
                None => {
                    let now = self.training_allowed(scope, &event.actor.id).await?;
                    known.insert(event.actor.id.clone(), now);
                    now
                }
            };
        }
        Ok(events)
    }

    async fn training_allowed(&mut self, scope: &Scope, user: &UserId) -> Result<bool, StopRequested> {
        let mut failures = 0;
        loop {
            self.check_stop()?;
            match training_allowed(&*self.store, scope, user).await {
                Ok(now) => return Ok(now),
                Err(error) if error.kind() == ErrorKind::Unavailable => {
                    self.back_off(&mut failures, "preferences", &error).await?;
                }
                Err(error) => {
                    tracing::error!(sink = self.sink.name(), %scope, code = %error.code(), "a training preference cannot be read; it counts as an opt-out");
                    return Ok(false);
                }
            }
        }
    }

    /// Scrubs events with the current PII engine. An event that cannot be scrubbed is withheld.
    fn scrub(&self, scrubber: &Scrubber, events: Vec<StoredEvent>) -> Vec<CleanEvent> {
        let mut clean = Vec::with_capacity(events.len());
        for event in events {
            let event_id = event.event_id;
            match rescrub(scrubber, event) {
                Ok(event) => clean.push(event),
                Err(error) => {
                    tracing::error!(sink = self.sink.name(), %event_id, code = %error.code(), "an event could not be scrubbed again and was withheld");
                    self.status.update(|status| status.withheld += 1);
                }
            }
        }
        clean
    }

    /// Writes one scope's batch to the sink, and repeats the same batch until the sink accepts it.
    async fn deliver(&mut self, scope: &Scope, batch: &[CleanEvent]) -> Result<(), StopRequested> {
        let mut failures = 0;
        let size = batch.len() as u64;
        loop {
            // A stop does not cancel the write in progress.
            let write = tokio::time::timeout(self.settings.write_timeout, self.sink.write(scope, batch));
            let error = match write.await {
                Ok(Ok(())) => {
                    self.status.update(|status| status.delivered += size);
                    return Ok(());
                }
                Ok(Err(SinkError::Rejected { mut indexes, source })) => {
                    indexes.retain(|index| *index < batch.len());
                    indexes.sort_unstable();
                    indexes.dedup();
                    let rejected = indexes.len() as u64;
                    tracing::warn!(sink = self.sink.name(), %scope, rejected, code = %source.code(), "a sink rejected events; they are skipped");
                    self.status.update(|status| {
                        status.rejected += rejected;
                        status.delivered += size - rejected;
                    });
                    return Ok(());
                }
                Ok(Err(SinkError::Retry(error))) => error,
                Ok(Err(error)) => Error::internal("outbox.write", error),
                Err(timeout) => Error::unavailable("outbox.write", timeout),
            };
            self.back_off(&mut failures, "write", &error).await?;
        }
    }

    /// Saves the checkpoint after a delivery. Tries at least once, also when the outbox is stopping.
    async fn save_checkpoint(&mut self, place: Checkpoint, position: u64) -> Result<Checkpoint, StopRequested> {
        let mut failures = 0;
        loop {
            match self.checkpoints.save(&*self.store, &*self.clock, place, position).await {
                Ok(SaveOutcome::Saved(place)) => {
                    self.mark_healthy(place);
                    return Ok(place);
                }
                Ok(SaveOutcome::MovedElsewhere(place)) => {
                    // A save that reported a failure may have been stored; the position is then this worker's own. A
                    // different position means that another outbox is running.
                    if place.position != position {
                        tracing::warn!(
                            sink = self.sink.name(),
                            "another outbox moves this sink's checkpoint; events may be delivered twice"
                        );
                    }
                    self.mark_healthy(place);
                    return Ok(place);
                }
                Err(error) => self.back_off(&mut failures, "keep", &error).await?,
            }
        }
    }

    fn mark_healthy(&self, place: Checkpoint) {
        self.status.update(|status| {
            status.position = place.position;
            status.failing = 0;
        });
    }

    async fn back_off(&mut self, failures: &mut u32, step: &'static str, error: &Error) -> Result<(), StopRequested> {
        *failures = failures.saturating_add(1);
        let code: Code = error.code();
        let wait = self.settings.retry_wait(*failures, error.retry_after(), &self.ids);
        tracing::warn!(sink = self.sink.name(), step, %code, failures = *failures, wait_ms = wait.as_millis(), "a step of the outbox failed; it is retried after a delay");
        self.status.update(|status| {
            status.failures += 1;
            status.failing = *failures;
            status.last_failure = Some(code);
        });
        self.wait(wait).await
    }

    /// Waits until an event is recorded or the poll interval has passed.
    async fn wait_for_work(&mut self) -> Result<(), StopRequested> {
        let mut wake = self.wake.clone();
        let woken = pin!(async move {
            // All handles were dropped, so that no more wake-ups come: only the poll interval is left.
            if wake.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        });
        let poll = self.settings.poll_interval;
        let rest = pin!(self.wait(poll));
        match select(woken, rest).await {
            Either::Left(_) => Ok(()),
            Either::Right((rested, _)) => rested,
        }
    }

    async fn wait(&mut self, wait: Duration) -> Result<(), StopRequested> {
        self.stop.run_until_cancelled(tokio::time::sleep(wait)).await.ok_or(StopRequested)
    }

    fn check_stop(&self) -> Result<(), StopRequested> {
        if self.stop.is_cancelled() { Err(StopRequested) } else { Ok(()) }
    }
}

/// Groups a chunk into one batch per scope. Scopes keep the order of their first event; events keep their order.
fn group_by_scope(chunk: Vec<FeedItem>) -> Vec<(Scope, Vec<StoredEvent>)> {
    let mut batches: Vec<(Scope, Vec<_>)> = Vec::new();
    for item in chunk {
        match batches.iter_mut().find(|(scope, _)| *scope == item.scope) {
            Some((_, events)) => events.push(item.event),
            None => batches.push((item.scope, vec![item.event])),
        }
    }
    batches
}
