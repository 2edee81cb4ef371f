//! The event log: records what may be learned from, and reads it back.

use std::{fmt, sync::Arc};

use serde::Serialize;
use ulid::Ulid;

use super::{CleanEvent, DatasetEvent, EventFilter, EventStamp, StoredEvent, TrainPrefs, scrub_event};
use crate::{
    access::Action,
    clock::Timestamp,
    context::{ActorType, RequestContext},
    error::{Error, Result},
    gate::Guard,
    limits::Limits,
    nexus::{Batch, EventOutcome, Idempotency, Page, PageRequest, Removal, Store},
    pii::{ScrubReport, Scrubber},
    privacy::PrivacyPolicies,
    stream::Seq,
};

/// What a list or an audit record calls this log.
pub(super) const RESOURCE: &str = "events";
/// The action whose operators a policy may set for what is recorded.
const POLICY_ACTION: &str = "store";
/// Bytes of an idempotency key.
const MAX_KEY_BYTES: usize = 255;

/// Records dataset events and reads them back. Cheap to clone.
#[derive(Clone)]
pub struct EventLog {
    pub(super) store: Arc<dyn Store>,
    pub(super) guard: Guard,
    pub(super) policies: PrivacyPolicies,
    pub(super) limits: Arc<Limits>,
    pub(super) prefs: TrainPrefs,
    on_record: Option<Arc<dyn Fn() + Send + Sync>>,
}

/// What became of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordedEvent {
    /// Its id.
    pub event_id: Ulid,
    /// What the PII engine found in it.
    pub pii_flags: ScrubReport,
    /// Whether it may be learned from.
    pub train_ok: bool,
    /// Its place in its scope's log.
    pub seq: Seq,
    /// It had been recorded before, under this idempotency key: this is the first answer again.
    pub replayed: bool,
}

/// An idempotency key, and what it is unique in besides its actor.
pub(super) struct EventKey {
    pub(super) namespace_suffix: &'static str,
    pub(super) text: String,
    /// Of a batch that has one key for all its lines.
    pub(super) line_number: Option<u64>,
}

/// What holds for somebody's events.
pub(super) struct RecordingRules {
    /// Whether they may be learned from.
    train_allowed: bool,
    scrubber: Scrubber,
}

/// An event on its way to the store: scrubbed, with its key, and what its producer is told if it is new.
pub(super) struct PreparedEvent {
    pub(super) event: CleanEvent,
    pub(super) idempotency: Option<Idempotency>,
    pub(super) recorded: RecordedEvent,
}

impl EventLog {
    /// A log in `store`, whose events are scrubbed as their tenants' policies say.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, guard: Guard, policies: PrivacyPolicies) -> Self {
        let prefs = TrainPrefs::new(Arc::clone(&store), guard.clone());
        Self { store, guard, policies, limits: Arc::new(Limits::default()), prefs, on_record: None }
    }

    /// Other limits than the default ones.
    #[must_use]
    pub fn with_limits(mut self, limits: Arc<Limits>) -> Self {
        self.limits = limits;
        self
    }

    /// Calls `hook` whenever something was recorded, so that sinks need not look for it. It must not block.
    #[must_use]
    pub fn on_record(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.on_record = Some(Arc::new(hook));
        self
    }

    /// Who lets their events be learned from.
    #[must_use]
    pub fn train_prefs(&self) -> &TrainPrefs {
        &self.prefs
    }

    /// Scrubs and records one event; durable when it returns.
    ///
    /// With an `idempotency_key` it takes effect once for its actor. Two events count as the same if what was sent is, ids of requests and
    /// traces aside. They are compared by an HMAC under the tenant's key; a scrubber without one compares them after scrubbing, see
    /// [`CleanEvent::fingerprint`].
    ///
    /// # Errors
    /// `BODY_INVALID` for an empty `surface` or `agent_id`, an unknown `actor_type` or an overlong key; `IDEMPOTENCY_MISMATCH`;
    /// what the guard refuses; `BACKEND_UNAVAILABLE` when the store does not answer, and then it is safe to try again with the same key.
    pub async fn record(&self, context: &RequestContext, mut event: DatasetEvent) -> Result<RecordedEvent> {
        let permit = self.guard.admit(context, Action::EventRecord, RESOURCE).await?;
        let key = event.idempotency_key.take().map(|text| EventKey { namespace_suffix: "", text, line_number: None });
        let rules = self.load_rules(context).await?;
        let now = self.guard.clock().now();
        let PreparedEvent { event, idempotency: once, mut recorded } =
            self.prepare(context, event, key, &rules, now)?;
        let mut batch = Batch::new(now);
        if let Some(once) = once {
            batch = batch.with_idempotency(once);
        }
        let resource = format!("{RESOURCE}/{}", recorded.event_id);
        let batch = batch.record(event).audit(permit.audit_entry(&self.guard, context, resource));
        let receipt = self.store.commit(context.scope(), batch).await?;
        let missing = || Error::internal("event.record", "the store gave no place to an event it took");
        recorded.seq = receipt.recorded.first().and_then(EventOutcome::seq).ok_or_else(missing)?;
        if receipt.replayed {
            let seq = recorded.seq;
            return recorded.into_replayed(seq, &receipt.note);
        }
        self.notify();
        Ok(recorded)
    }

    /// Recorded events in order, a page at a time.
    ///
    /// # Errors
    /// `CURSOR_INVALID`; what the guard refuses; `BACKEND_UNAVAILABLE`.
    pub async fn list(
        &self,
        context: &RequestContext,
        filter: &EventFilter,
        page: PageRequest,
    ) -> Result<Page<StoredEvent>> {
        let _permit = self.guard.admit(context, Action::EventRead, RESOURCE).await?;
        self.store.events(context.scope(), filter, page).await
    }

    /// Deletes the recorded events that match, for good: a filter without any field matches all. What a sink has got already is not called back, and
    /// what it has not yet got it never gets.
    ///
    /// It goes in bounded steps beside other writes, and is audited once before the first. A caller that goes away, or a failure, leaves
    /// the rest undeleted; the same call again deletes it.
    ///
    /// # Errors
    /// What the guard refuses; `BACKEND_UNAVAILABLE` when the store does not answer.
    pub async fn delete(&self, context: &RequestContext, filter: &EventFilter) -> Result<u64> {
        /// Events deleted in one step: some milliseconds of the store's time.
        const REMOVAL_STEP_EVENTS: usize = 500;
        let permit = self.guard.admit(context, Action::EventDelete, RESOURCE).await?;
        let audit = permit.audit_entry(&self.guard, context, RESOURCE);
        self.store.commit(context.scope(), Batch::new(self.guard.clock().now()).audit(audit)).await?;
        let removal = Removal::Events { filter: filter.clone(), delivered: None };
        let (mut deleted, mut after) = (0, None);
        loop {
            let step = self.store.remove(context.scope(), &removal, REMOVAL_STEP_EVENTS, after.as_deref()).await?;
            deleted += step.removed;
            if step.done {
                return Ok(deleted);
            }
            after = step.position;
        }
    }

    /// What holds for the caller's events at this moment.
    pub(super) async fn load_rules(&self, context: &RequestContext) -> Result<RecordingRules> {
        let allowed = self.prefs.allows_training(context.scope(), &context.actor().id).await?;
        Ok(RecordingRules { train_allowed: allowed, scrubber: self.policies.scrubber(context.scope()).await? })
    }

    /// Checks and scrubs an event.
    pub(super) fn prepare(
        &self,
        context: &RequestContext,
        event: DatasetEvent,
        key: Option<EventKey>,
        rules: &RecordingRules,
        now: Timestamp,
    ) -> Result<PreparedEvent> {
        check_event(&event)?;
        if let Some(key) = &key {
            check_key(&key.text)?;
        }
        let (event_id, actor) = (self.guard.ids().ulid(now), context.actor().clone());
        // What was sent, not what is left of it: the same event is the same under tomorrow's policy too, and another mailbox is another event.
        let sent = match &key {
            Some(_) if rules.scrubber.has_key() => Some(rules.scrubber.keyed_hash(&event.canonical_bytes(&actor)?)),
            _ => None,
        };
        let stamp = EventStamp { event_id, ts: now, actor, train_ok: rules.train_allowed };
        let event = scrub_event(&rules.scrubber.for_action(POLICY_ACTION), event, stamp, context)?;
        let (pii_flags, train_ok) = (event.pii_flags().clone(), event.train_ok());
        let once = key.map(|EventKey { namespace_suffix: of, text, line_number: line }| Idempotency {
            // Another actor's key of the same text is another key.
            namespace: format!("{RESOURCE}{of}/{}", context.actor().id),
            // What is in a key is the client's affair, but not in the clear.
            key: match line {
                None => rules.scrubber.lookup_token(&text),
                // The numbers stay, so that a batch's keys lie together in a store's index.
                Some(line) => format!("{}:{line:09}", rules.scrubber.lookup_token(&text)),
            },
            fingerprint: sent.unwrap_or_else(|| event.fingerprint()),
            note: format!("{event_id}{}", u8::from(train_ok)),
        });
        let recorded = RecordedEvent { event_id, pii_flags, train_ok, seq: Seq::ZERO, replayed: false };
        Ok(PreparedEvent { event, idempotency: once, recorded })
    }

    /// Something was recorded.
    pub(super) fn notify(&self) {
        if let Some(hook) = &self.on_record {
            hook();
        }
    }
}

impl RecordedEvent {
    /// The first answer again, from the note it left.
    pub(super) fn into_replayed(self, seq: Seq, note: &str) -> Result<Self> {
        let damaged = || Error::internal("event.record", "the note of an idempotency key is damaged");
        let (id, train_ok) = note.split_at_checked(ulid::ULID_LEN).ok_or_else(damaged)?;
        let event_id = Ulid::from_string(id).map_err(|_| damaged())?;
        Ok(Self { event_id, train_ok: train_ok == "1", seq, replayed: true, ..self })
    }
}

fn check_event(event: &DatasetEvent) -> Result<()> {
    for (field, text) in [("/surface", &event.surface), ("/agent_id", &event.agent_id)] {
        if text.is_empty() {
            return Err(Error::invalid_body("event.record", field, "it must not be empty"));
        }
    }
    if event.actor_type.as_deref().is_some_and(|kind| ActorType::from_wire(kind).is_none()) {
        return Err(Error::invalid_body("event.record", "/actor_type", "it must be human, agent or system"));
    }
    Ok(())
}

/// Refuses a key that is empty or long.
pub(super) fn check_key(key: &str) -> Result<()> {
    if key.is_empty() || key.len() > MAX_KEY_BYTES {
        return Err(Error::invalid_body("event.record", "/idempotency_key", "it must have 1 to 255 bytes"));
    }
    Ok(())
}

impl fmt::Debug for EventLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventLog").field("store", &self.store).finish_non_exhaustive()
    }
}
