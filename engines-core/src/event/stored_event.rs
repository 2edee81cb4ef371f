//! Recorded events and the filter for listing them.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use ulid::Ulid;

use crate::{
    clock::Timestamp,
    context::Actor,
    error::{Error, Result},
    pii::ScrubReport,
    scope::{Env, Scope},
    stream::Seq,
};

/// The usual size of the fields that the log adds to an event, in bytes.
const LOG_FIELD_BYTES: usize = 512;

/// A recorded event: scrubbed, with its sequence number in its scope's log.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StoredEvent {
    /// The event's sequence number in its scope's log; starts at 1 and rises by one with each recorded event.
    pub seq: Seq,
    /// The event's id.
    pub event_id: Ulid,
    /// The time of the recording.
    pub ts: Timestamp,
    /// The part of the product the event is from.
    pub surface: String,
    /// The agent the event is about.
    pub agent_id: String,
    /// The type of an analytics event, if it has one.
    #[serde(rename = "type")]
    pub event_type: Option<String>,
    /// The id of the trace.
    pub trace_id: String,
    /// The actor that recorded the event.
    #[serde(flatten)]
    pub actor: Actor,
    /// Whether training with the event was allowed when it was written.
    pub train_ok: bool,
    /// What the PII engine found in the event.
    pub pii_flags: ScrubReport,
    /// Input, output, metadata and all other fields, scrubbed.
    pub body: Box<RawValue>,
}

/// The fields that the log adds to an event's body.
#[derive(Serialize)]
struct LogFields<'a> {
    tenant_id: &'a str,
    env: Env,
    seq: Seq,
    event_id: Ulid,
    ts: Timestamp,
    surface: &'a str,
    agent_id: &'a str,
    #[serde(rename = "type")]
    event_type: Option<&'a str>,
    trace_id: &'a str,
    #[serde(flatten)]
    actor: &'a Actor,
    train_ok: bool,
    pii_flags: &'a ScrubReport,
}

impl StoredEvent {
    /// Appends the event as one JSON object on one line: the members its producer sent, scrubbed, and the fields that
    /// the log adds.
    ///
    /// # Errors
    /// `INTERNAL` when the body is not a JSON object; `line` is then unchanged.
    pub fn write_line(&self, scope: &Scope, line: &mut Vec<u8>) -> Result<()> {
        let internal = |error| Error::internal("event.line", error);
        let body = self.body.get().trim_ascii();
        let sent = body.strip_prefix('{').and_then(|body| body.strip_suffix('}')).map(str::trim_ascii);
        let sent = sent.ok_or_else(|| Error::internal("event.line", "a stored event is not a JSON object"))?;
        let of_log = LogFields {
            tenant_id: scope.tenant().as_str(),
            env: scope.env(),
            seq: self.seq,
            event_id: self.event_id,
            ts: self.ts,
            surface: &self.surface,
            agent_id: &self.agent_id,
            event_type: self.event_type.as_deref(),
            trace_id: &self.trace_id,
            actor: &self.actor,
            train_ok: self.train_ok,
            pii_flags: &self.pii_flags,
        };
        let begin = line.len();
        if let Err(error) = serde_json::to_writer(&mut *line, &of_log) {
            line.truncate(begin);
            return Err(internal(error));
        }
        if !sent.is_empty() {
            line.pop();
            line.push(b',');
            // A line break can only stand between tokens of JSON, where a space is equivalent.
            line.extend(sent.bytes().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }));
            line.push(b'}');
        }
        Ok(())
    }

    /// Returns the event as one JSON object, in the form of [`StoredEvent::write_line`].
    ///
    /// # Errors
    /// As [`StoredEvent::write_line`].
    pub fn to_flat_json(&self, scope: &Scope) -> Result<Box<RawValue>> {
        let mut line = Vec::with_capacity(self.body.get().len() + LOG_FIELD_BYTES);
        self.write_line(scope, &mut line)?;
        let text = String::from_utf8(line).map_err(|error| Error::internal("event.json", error))?;
        RawValue::from_string(text).map_err(|error| Error::internal("event.json", error))
    }
}

/// Selects events to list; every field that is set must match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// The surface to list.
    pub surface: Option<String>,
    /// The agent to list.
    pub agent_id: Option<String>,
    /// The trace to list.
    pub trace_id: Option<String>,
    /// The type of event to list.
    pub event_type: Option<String>,
    /// The earliest time, included.
    pub from: Option<Timestamp>,
    /// The latest time, excluded.
    pub until: Option<Timestamp>,
}

impl EventFilter {
    /// The most events that a built-in backend skips for one page, in each index it reads. If it finds no full page
    /// among these events, it returns a short or even empty page whose `next` says where to continue. A rare
    /// combination of common values then costs many small pages instead of one that takes as long as the log is.
    pub const MAX_SCANNED: usize = 5000;

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
