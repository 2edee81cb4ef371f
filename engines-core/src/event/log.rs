//! The event log: records what may be learned from, and reads it back.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use ulid::Ulid;

use super::{CleanEvent, DatasetEvent, EventFilter, EventStamp, StoredEvent, clean};
use crate::{
    access::Action,
    context::{ActorType, RequestContext},
    error::{Error, Result},
    gate::Guard,
    nexus::{Batch, EventOutcome, Once, Page, Paged, Store},
    pii::{Receipt, Scrubber},
    stream::Seq,
};

/// What a list or an audit record calls this log.
const RESOURCE: &str = "events";
/// Bytes of an idempotency key.
const KEY_BYTES: usize = 255;

/// Records dataset events and reads them back. Cheap to clone.
#[derive(Clone)]
pub struct EventLog {
    store: Arc<dyn Store>,
    guard: Guard,
    scrubber: Arc<Scrubber>,
}

/// What became of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Recorded {
    /// Its id.
    pub event_id: Ulid,
    /// What the PII engine found in it.
    pub pii_flags: Receipt,
    /// Whether it may be learned from.
    pub train_ok: bool,
    /// Its place in its scope's log.
    pub seq: Seq,
    /// It had been recorded before, under this idempotency key: this is the first answer again.
    pub replayed: bool,
}

/// What an idempotent answer needs of the first one.
#[derive(Serialize, Deserialize)]
struct Note {
    event_id: Ulid,
    train_ok: bool,
}

impl EventLog {
    /// A log in `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, guard: Guard, scrubber: Arc<Scrubber>) -> Self {
        Self { store, guard, scrubber }
    }

    /// Scrubs and records one event; durable when it returns.
    ///
    /// With an `idempotency_key` it takes effect once. Two events count as the same if they are after scrubbing: a fingerprint
    /// of the raw one would let whoever has the store try out what was removed.
    ///
    /// # Errors
    /// `BODY_INVALID` for an empty `surface` or `agent_id`, an unknown `actor_type` or an overlong key; `IDEMPOTENCY_MISMATCH`;
    /// what the guard refuses; `BACKEND_UNAVAILABLE` when the store does not answer, and then it is safe to try again with the same key.
    pub async fn record(&self, context: &RequestContext, mut event: DatasetEvent) -> Result<Recorded> {
        let permit = self.guard.admit(context, Action::EventRecord, RESOURCE).await?;
        check(&event)?;
        let key = event.idempotency_key.take();
        let now = self.guard.clock().now();
        let stamp = EventStamp {
            event_id: self.guard.ids().ulid(now),
            ts: now,
            actor: context.actor().clone(),
            train_ok: true,
        };
        let event = clean(&self.scrubber, event, stamp, context)?;
        let mut recorded = Recorded {
            event_id: event.event_id(),
            pii_flags: event.pii_flags().clone(),
            train_ok: event.train_ok(),
            seq: Seq::ZERO,
            replayed: false,
        };
        let mut batch = Batch::new(now);
        if let Some(key) = key {
            batch = batch.once(once(key, &event)?);
        }
        let resource = format!("{RESOURCE}/{}", recorded.event_id);
        let batch = batch.record(event).audit(permit.audit(&self.guard, context, resource));
        let receipt = self.store.commit(context.scope(), batch).await?;
        let missing = || Error::internal("event.record", "the store gave no place to an event it took");
        recorded.seq = receipt.recorded.first().and_then(EventOutcome::seq).ok_or_else(missing)?;
        if receipt.replayed {
            let note: Note =
                serde_json::from_str(&receipt.note).map_err(|error| Error::internal("event.record", error))?;
            recorded = Recorded { event_id: note.event_id, train_ok: note.train_ok, replayed: true, ..recorded };
        }
        Ok(recorded)
    }

    /// Recorded events in order, a page at a time.
    ///
    /// # Errors
    /// `CURSOR_INVALID`; what the guard refuses; `BACKEND_UNAVAILABLE`.
    pub async fn list(&self, context: &RequestContext, filter: &EventFilter, page: Page) -> Result<Paged<StoredEvent>> {
        let _permit = self.guard.admit(context, Action::EventRead, RESOURCE).await?;
        self.store.events(context.scope(), filter, page).await
    }
}

fn check(event: &DatasetEvent) -> Result<()> {
    for (field, text) in [("/surface", &event.surface), ("/agent_id", &event.agent_id)] {
        if text.is_empty() {
            return Err(Error::body("event.record", field, "it must not be empty"));
        }
    }
    if event.actor_type.as_deref().is_some_and(|kind| ActorType::from_wire(kind).is_none()) {
        return Err(Error::body("event.record", "/actor_type", "it must be human, agent or system"));
    }
    if event.idempotency_key.as_ref().is_some_and(|key| key.is_empty() || key.len() > KEY_BYTES) {
        return Err(Error::body("event.record", "/idempotency_key", "it must have 1 to 255 bytes"));
    }
    Ok(())
}

fn once(key: String, event: &CleanEvent) -> Result<Once> {
    let internal = |error| Error::internal("event.record", error);
    // The request's ids are left out: a retry is another request.
    let mut body: serde_json::Map<_, _> = serde_json::from_str(event.body().get()).map_err(internal)?;
    body.remove("request_id");
    let actor = event.actor();
    let content = (event.surface(), event.agent_id(), actor.id.as_str(), actor.kind.as_str(), body);
    let fingerprint = Sha256::digest(serde_json::to_vec(&content).map_err(internal)?).into();
    let note = Note { event_id: event.event_id(), train_ok: event.train_ok() };
    let note = serde_json::to_string(&note).map_err(internal)?;
    Ok(Once { realm: RESOURCE.into(), key, fingerprint, note })
}

impl fmt::Debug for EventLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventLog").field("store", &self.store).finish_non_exhaustive()
    }
}
