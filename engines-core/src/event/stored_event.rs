//! The event as it is read back.

use serde::Serialize;
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
    pub pii_flags: ScrubReport,
    /// Input, output, metadata and the rest, scrubbed.
    pub body: Box<RawValue>,
}

/// What the log says of an event, besides its body.
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
    /// Appends the event as one JSON object on one line, as its producer would know it again: what was sent stands beside what the log says of it.
    ///
    /// # Errors
    /// `INTERNAL` when its body is no JSON object; `line` is then as it was.
    pub fn write_line(&self, scope: &Scope, line: &mut Vec<u8>) -> Result<()> {
        let internal = |error| Error::internal("event.line", error);
        let body = self.body.get().trim_ascii();
        let sent = body.strip_prefix('{').and_then(|body| body.strip_suffix('}')).map(str::trim_ascii);
        let sent = sent.ok_or_else(|| Error::internal("event.line", "a stored event is no object"))?;
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
            // A line break can only stand between the parts of JSON, where a space does as well.
            line.extend(sent.bytes().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }));
            line.push(b'}');
        }
        Ok(())
    }
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
    /// Events a backend of ours passes over for one page, at the most, in each index it looks at. Whoever finds no full page among so many gives a short
    /// one, even an empty one, whose `next` says where to go on: a rare combination of common values then costs many small pages, not one that takes
    /// as long as the log is.
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
