//! The event log, which records dataset events and reads them back.

use std::{fmt, sync::Arc};

use engines_core::{
    Action, Actor, ActorType, Batch, CleanEvent, DatasetEvent, Error, Guard, Limits, RequestContext, Result, Store,
    Timestamp,
    event::{EventFilter, EventStamp, StoredEvent, scrub_event},
    nexus::{EventOutcome, Idempotency, Page, PageRequest, Removal},
    pii::{ScrubReport, Scrubber},
    stream::Seq,
};
use serde::Serialize;
use ulid::Ulid;

use super::{TrainPrefs, privacy::PrivacyPolicies};

/// The name of this log in lists and audit records.
pub(super) const RESOURCE: &str = "events";
/// The action for which a policy can set the operators that are applied to recorded events.
const POLICY_ACTION: &str = "store";
/// The most bytes of an idempotency key.
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

/// The result of recording an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordedEvent {
    /// The event's id.
    pub event_id: Ulid,
    /// What the PII engine found in the event.
    pub pii_flags: ScrubReport,
    /// Whether training with the event is allowed.
    pub train_ok: bool,
    /// The event's sequence number in its scope's log.
    pub seq: Seq,
    /// The event was recorded before under this idempotency key: this is the first result again.
    pub replayed: bool,
}

/// An idempotency key and the namespace in which it is unique, besides its actor.
pub(super) struct EventKey {
    pub(super) namespace_suffix: &'static str,
    pub(super) text: String,
    /// The line's number if the key is that of a whole batch.
    pub(super) line_number: Option<u64>,
}

/// The rules that hold for the caller's events.
pub(super) struct RecordingRules {
    /// Whether the tenant and the user allow training.
    train_allowed: bool,
    scrubber: Scrubber,
}

/// A scrubbed event that is ready to be stored, with its key, and its result for the case that it is new.
pub(super) struct PreparedEvent {
    pub(super) event: CleanEvent,
    pub(super) idempotency: Option<Idempotency>,
    pub(super) recorded: RecordedEvent,
}

impl EventLog {
    /// Makes a log in `store` that scrubs events by the policies of their tenants.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, guard: Guard, policies: PrivacyPolicies) -> Self {
        let prefs = TrainPrefs::new(Arc::clone(&store), guard.clone());
        Self { store, guard, policies, limits: Arc::new(Limits::default()), prefs, on_record: None }
    }

    /// Replaces the default limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Arc<Limits>) -> Self {
        self.limits = limits;
        self
    }

    /// Calls `hook` after each recording, so that the outbox need not poll. The hook must not block.
    #[must_use]
    pub fn on_record(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.on_record = Some(Arc::new(hook));
        self
    }

    /// The training preferences of tenants and users.
    #[must_use]
    pub fn train_prefs(&self) -> &TrainPrefs {
        &self.prefs
    }

    /// Scrubs and records one event. The event is durable on return.
    ///
    /// An event with an `idempotency_key` is recorded once for its actor. Two events are the same if their content is
    /// the same; ids of requests and traces are ignored. Contents are compared by an HMAC under the tenant's key; a
    /// scrubber without a key compares them after scrubbing, see [`CleanEvent::fingerprint`].
    ///
    /// # Errors
    /// `BODY_INVALID` for an empty `surface` or `agent_id`, an unknown `actor_type` or a key that is too long;
    /// `IDEMPOTENCY_MISMATCH`; rejections of the guard; `BACKEND_UNAVAILABLE` when the store does not answer. After
    /// `BACKEND_UNAVAILABLE` it is safe to retry with the same key.
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
        let missing =
            || Error::internal("event.record", "the store returned no sequence number for an event it accepted");
        recorded.seq = receipt.recorded.first().and_then(EventOutcome::seq).ok_or_else(missing)?;
        if receipt.replayed {
            let seq = recorded.seq;
            return recorded.into_replayed(seq, &receipt.note);
        }
        self.notify();
        Ok(recorded)
    }

    /// Lists recorded events in order, one page at a time.
    ///
    /// # Errors
    /// `CURSOR_INVALID`; rejections of the guard; `BACKEND_UNAVAILABLE`.
    pub async fn list(
        &self,
        context: &RequestContext,
        filter: &EventFilter,
        page: PageRequest,
    ) -> Result<Page<StoredEvent>> {
        let _permit = self.guard.admit(context, Action::EventRead, RESOURCE).await?;
        self.store.events(context.scope(), filter, page).await
    }

    /// Deletes the recorded events that match, permanently; a filter without any field matches all. Events that a sink
    /// has already received are not recalled, and events that it has not yet received are never sent to it.
    ///
    /// The deletion takes bounded steps beside other writes, and is audited once before the first step. If the caller
    /// goes away or a step fails, the rest is not deleted; calling this again deletes it.
    ///
    /// # Errors
    /// Rejections of the guard; `BACKEND_UNAVAILABLE` when the store does not answer.
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

    /// Loads the rules that hold for the caller's events now.
    pub(super) async fn load_rules(&self, context: &RequestContext) -> Result<RecordingRules> {
        let allowed = self.prefs.allows_training(context.scope(), &context.actor().id).await?;
        Ok(RecordingRules { train_allowed: allowed, scrubber: self.policies.scrubber(context.scope()).await? })
    }

    /// Validates and scrubs an event.
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
        // The fingerprint covers the raw event, not the scrubbed one: the same event stays the same under a later
        // policy, and an event with another mailbox stays another event.
        let sent = match &key {
            Some(_) if rules.scrubber.has_key() => Some(rules.scrubber.keyed_hash(&canonical_bytes(&event, &actor)?)),
            _ => None,
        };
        let stamp = EventStamp { event_id, ts: now, actor, train_ok: rules.train_allowed };
        let event = scrub_event(&rules.scrubber.for_action(POLICY_ACTION), event, stamp, context)?;
        let (pii_flags, train_ok) = (event.pii_flags().clone(), event.train_ok());
        let once = key.map(|EventKey { namespace_suffix: of, text, line_number: line }| Idempotency {
            // The same key of another actor is another key.
            namespace: format!("{RESOURCE}{of}/{}", context.actor().id),
            // A key may contain anything, including personal data, so it is not stored in the clear.
            key: match line {
                None => rules.scrubber.lookup_token(&text),
                // The line numbers stay readable, so that a batch's keys are adjacent in a store's index.
                Some(line) => format!("{}:{line:09}", rules.scrubber.lookup_token(&text)),
            },
            fingerprint: sent.unwrap_or_else(|| event.fingerprint()),
            note: format!("{event_id}{}", u8::from(train_ok)),
        });
        let recorded = RecordedEvent { event_id, pii_flags, train_ok, seq: Seq::ZERO, replayed: false };
        Ok(PreparedEvent { event, idempotency: once, recorded })
    }

    /// Reports a recording to the hook.
    pub(super) fn notify(&self) {
        if let Some(hook) = &self.on_record {
            hook();
        }
    }
}

impl RecordedEvent {
    /// Restores the first result from the note that was stored with the key.
    pub(super) fn into_replayed(self, seq: Seq, note: &str) -> Result<Self> {
        let damaged = || Error::internal("event.record", "the note of an idempotency key is damaged");
        let (id, train_ok) = note.split_at_checked(ulid::ULID_LEN).ok_or_else(damaged)?;
        let event_id = Ulid::from_string(id).map_err(|_| damaged())?;
        Ok(Self { event_id, train_ok: train_ok == "1", seq, replayed: true, ..self })
    }
}

/// The content of `event` without its request and trace ids, which a retry changes: the same bytes for the same event.
///
/// # Errors
/// `INTERNAL` when it cannot be encoded.
fn canonical_bytes(event: &DatasetEvent, actor: &Actor) -> Result<Vec<u8>> {
    let campaign: Vec<_> = event.campaign().collect();
    let names = [&event.analytics_event_type, &event.analytics_platform, &event.asset_alt_text, &event.episode_id];
    let kind = event.actor_type.as_deref().and_then(ActorType::from_wire).unwrap_or(actor.kind);
    let heads = (&event.surface, &event.agent_id, actor.id.as_str(), kind.as_str());
    let all = (heads, names, &event.input, &event.output, &event.metadata, campaign);
    serde_json::to_vec(&all).map_err(|error| Error::internal("event.said", error))
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

/// Rejects a key that is empty or too long.
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
