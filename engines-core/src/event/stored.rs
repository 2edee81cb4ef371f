//! The event as it is read back.

use serde::Serialize;
use serde_json::value::RawValue;
use ulid::Ulid;

use crate::{clock::Timestamp, context::Actor, pii::Receipt, stream::Seq};

/// A recorded event: scrubbed, with its place in its scope's log.
#[derive(Debug, Clone, Serialize)]
pub struct StoredEvent {
    /// Its place in its scope's log; starts at 1, has no holes.
    pub seq: Seq,
    /// Its id.
    pub event_id: Ulid,
    /// When it was recorded.
    pub ts: Timestamp,
    /// Which part of the product.
    pub surface: String,
    /// Which agent.
    pub agent_id: String,
    /// What kind of analytics event, if it says.
    #[serde(rename = "type")]
    pub event_type: Option<String>,
    /// The trace.
    pub trace_id: String,
    /// Who recorded it.
    #[serde(flatten)]
    pub actor: Actor,
    /// Whether it may be learned from, as decided when it was written.
    pub train_ok: bool,
    /// What the PII engine found in it.
    pub pii_flags: Receipt,
    /// Input, output, metadata and the rest, scrubbed.
    pub body: Box<RawValue>,
}

/// Which events to list; every field that is set must match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Of this surface.
    pub surface: Option<String>,
    /// Of this agent.
    pub agent_id: Option<String>,
    /// Of this trace.
    pub trace_id: Option<String>,
    /// Of this type.
    pub event_type: Option<String>,
    /// Recorded at or after.
    pub from: Option<Timestamp>,
    /// Recorded before.
    pub until: Option<Timestamp>,
}

impl EventFilter {
    /// Whether `event` matches.
    #[must_use]
    pub fn matches(&self, event: &StoredEvent) -> bool {
        let same = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
        same(&self.surface, &event.surface)
            && same(&self.agent_id, &event.agent_id)
            && same(&self.trace_id, &event.trace_id)
            && self.event_type.as_ref().is_none_or(|wanted| event.event_type.as_ref() == Some(wanted))
            && self.from.is_none_or(|from| event.ts >= from)
            && self.until.is_none_or(|until| event.ts < until)
    }
}
