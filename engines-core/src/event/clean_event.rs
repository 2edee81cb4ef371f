//! Scrubbed events. Scrubbing is the only way from a raw event to one that can be stored.

use serde::Serialize;
use serde_json::{Map, Value, value::RawValue};
use sha2::{Digest, Sha256};
use ulid::Ulid;

use super::{DatasetEvent, StoredEvent};
use crate::{
    clock::Timestamp,
    context::{Actor, ActorType, RequestContext},
    error::{Error, Result},
    id::UserId,
    pii::{ScrubError, ScrubReport, Scrubber},
    stream::Seq,
};

/// An event that was scrubbed by the PII engine. Its fields are private and [`scrub_event`] is its only source, so no
/// backend or sink can be given a raw event.
///
/// ```compile_fail
/// use engines_core::event::{CleanEvent, DatasetEvent};
/// fn keep(_: CleanEvent) {}
/// keep(DatasetEvent::default());
/// ```
#[derive(Debug, Clone)]
pub struct CleanEvent {
    stamp: EventStamp,
    surface: String,
    agent_id: String,
    event_type: Option<String>,
    trace_id: String,
    pii_flags: ScrubReport,
    body: Box<RawValue>,
}

/// The fields of an event that the library sets, not the producer.
#[derive(Debug, Clone)]
pub struct EventStamp {
    /// The event's id.
    pub event_id: Ulid,
    /// The time of the recording.
    pub ts: Timestamp,
    /// The actor that records the event.
    pub actor: Actor,
    /// Whether the tenant and the user allow training with the event. Personal data found in the event may still forbid
    /// it.
    pub train_ok: bool,
}

/// The parts of an event's body, in the order in which they are stored.
#[derive(Serialize)]
struct CleanEventBody {
    request_id: Value,
    input: Value,
    output: Value,
    metadata: Value,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// Scrubs `event`. The engine examines every string in it: values and keys at any depth, and the fields that can be
/// filtered by.
///
/// # Errors
/// When the PII engine cannot examine all of the event; it must not be stored then.
pub fn scrub_event(
    scrubber: &Scrubber,
    event: DatasetEvent,
    stamp: EventStamp,
    context: &RequestContext,
) -> Result<CleanEvent> {
    let mut raw: Map<String, Value> = event.campaign().map(|(name, value)| (name.clone(), value.clone())).collect();
    let optional = [
        ("analytics_event_type", event.analytics_event_type),
        ("analytics_platform", event.analytics_platform),
        ("asset_alt_text", event.asset_alt_text),
        ("episode_id", event.episode_id),
    ];
    raw.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Value::String(value?)))));
    raw.insert("input".into(), Value::Object(event.input));
    raw.insert("output".into(), Value::Object(event.output));
    raw.insert("metadata".into(), Value::Object(event.metadata));
    raw.insert("surface".into(), event.surface.into());
    raw.insert("agent_id".into(), event.agent_id.into());
    let trace = context.trace();
    raw.insert("trace_id".into(), event.trace_id.unwrap_or_else(|| trace.trace_id.to_string()).into());
    raw.insert("request_id".into(), event.request_id.unwrap_or_else(|| trace.request_id.to_string()).into());
    let mut stamp = stamp;
    if let Some(kind) = event.actor_type.as_deref().and_then(ActorType::from_wire) {
        stamp.actor.kind = kind;
    }
    scrub_fields(scrubber, raw, stamp, ScrubReport::default())
}

/// Scrubs a stored event again before it goes to a sink, so that everything that leaves the store has passed the
/// current version of the engine.
///
/// The recorder's id is scrubbed too: a store keeps the id by which a person can be found, but events that leave it
/// must not identify the person. What is found in the id is not reported as a finding of the event.
///
/// # Errors
/// As [`scrub_event`].
pub fn rescrub(scrubber: &Scrubber, event: StoredEvent) -> Result<CleanEvent> {
    let raw = raw_fields(&event)?;
    let actor = Actor { id: scrub_user_id(scrubber, &event.actor.id)?, ..event.actor };
    let stamp = EventStamp { event_id: event.event_id, ts: event.ts, actor, train_ok: event.train_ok };
    scrub_fields(scrubber, raw, stamp, event.pii_flags)
}

/// Scrubs an event of an archive before it is stored.
///
/// An event without findings is returned byte for byte. Findings are removed and added to the event's report. The
/// recorder's id is not scrubbed, as in every stored event.
///
/// # Errors
/// As [`scrub_event`].
pub fn scrub_archived(scrubber: &Scrubber, event: StoredEvent) -> Result<StoredEvent> {
    let stamp =
        EventStamp { event_id: event.event_id, ts: event.ts, actor: event.actor.clone(), train_ok: event.train_ok };
    let clean = scrub_fields(scrubber, raw_fields(&event)?, stamp, ScrubReport::default())?;
    if clean.pii_flags.is_clean() {
        return Ok(event);
    }
    let mut stored = clean.into_stored(event.seq);
    add_report(&mut stored.pii_flags, event.pii_flags);
    stored.train_ok &= scrubber.may_train(&stored.pii_flags);
    Ok(stored)
}

/// Returns the fields of a stored event in the form that the engine scrubs.
fn raw_fields(event: &StoredEvent) -> Result<Map<String, Value>> {
    let mut raw: Map<String, Value> =
        serde_json::from_str(event.body.get()).map_err(|error| Error::internal("event.clean", error))?;
    raw.insert("surface".into(), event.surface.as_str().into());
    raw.insert("agent_id".into(), event.agent_id.as_str().into());
    raw.insert("trace_id".into(), event.trace_id.as_str().into());
    Ok(raw)
}

/// Adds the findings of an earlier scrub to a report.
fn add_report(report: &mut ScrubReport, earlier: ScrubReport) {
    for (entity, count) in earlier.counts {
        *report.counts.entry(entity).or_default() += count;
    }
    for path in earlier.paths {
        report.add_path(path);
    }
}

/// Replaces a user's id that is dropped, or whose sealed form is longer than an id may be.
const REMOVED_USER_ID: &str = "[REMOVED]";

/// Scrubs a user's id.
fn scrub_user_id(scrubber: &Scrubber, id: &UserId) -> Result<UserId> {
    let clean = scrubber.scrub_text(id.as_str()).map_err(|error| Error::internal("event.clean", error))?;
    if clean.receipt.is_clean() {
        return Ok(id.clone());
    }
    UserId::new(clean.value).or_else(|_| UserId::new(REMOVED_USER_ID))
}

/// Members whose values are free text. Their names give no cue about their values: an address in `agent_id` is still an
/// address, although the name contains `id`.
const TEXT_FIELDS: [&str; 8] = [
    "surface",
    "agent_id",
    "trace_id",
    "request_id",
    "analytics_event_type",
    "analytics_platform",
    "asset_alt_text",
    "episode_id",
];

fn scrub_fields(
    scrubber: &Scrubber,
    mut raw: Map<String, Value>,
    stamp: EventStamp,
    before: ScrubReport,
) -> Result<CleanEvent> {
    let failed = |error: ScrubError| Error::internal("event.clean", error);
    let mut named = Vec::with_capacity(TEXT_FIELDS.len());
    for name in TEXT_FIELDS {
        if let Some(Value::String(text)) = raw.get(name) {
            let clean = scrubber.scrub_text(text).map_err(failed)?;
            let (text, receipt) = (clean.value.into_owned(), clean.receipt);
            raw.remove(name);
            named.push((name, text, receipt));
        }
    }
    let (clean, mut pii_flags) = scrubber.scrub_json(&Value::Object(raw)).map_err(failed)?;
    let Value::Object(mut fields) = clean else {
        return Err(Error::internal("event.clean", "the PII engine changed the shape of an event"));
    };
    for (name, text, receipt) in named {
        if !receipt.is_clean() {
            pii_flags.add_path(format!("/{name}"));
            pii_flags.absorb(receipt, "");
        }
        fields.insert(name.to_owned(), Value::String(text));
    }
    add_report(&mut pii_flags, before);
    let mut text = |name: &str| match fields.remove(name) {
        Some(Value::String(text)) => text,
        _ => String::new(),
    };
    let (surface, agent_id, trace_id) = (text("surface"), text("agent_id"), text("trace_id"));
    let event_type = fields.get("analytics_event_type").and_then(Value::as_str).map(str::to_owned);
    let mut take = |name: &str| fields.remove(name).unwrap_or_default();
    let body = CleanEventBody {
        request_id: take("request_id"),
        input: take("input"),
        output: take("output"),
        metadata: take("metadata"),
        rest: fields,
    };
    let body = serde_json::value::to_raw_value(&body).map_err(|error| Error::internal("event.clean", error))?;
    let stamp = EventStamp { train_ok: stamp.train_ok && scrubber.may_train(&pii_flags), ..stamp };
    Ok(CleanEvent { stamp, surface, agent_id, event_type, trace_id, pii_flags, body })
}

impl CleanEvent {
    /// The event's id.
    #[must_use]
    pub fn event_id(&self) -> Ulid {
        self.stamp.event_id
    }

    /// The time of the recording.
    #[must_use]
    pub fn ts(&self) -> Timestamp {
        self.stamp.ts
    }

    /// The actor that recorded the event.
    #[must_use]
    pub fn actor(&self) -> &Actor {
        &self.stamp.actor
    }

    /// The part of the product the event is from.
    #[must_use]
    pub fn surface(&self) -> &str {
        &self.surface
    }

    /// The agent the event is about.
    #[must_use]
    pub fn agent_id(&self) -> &str {
        &self.agent_id
    }

    /// The type of an analytics event.
    #[must_use]
    pub fn event_type(&self) -> Option<&str> {
        self.event_type.as_deref()
    }

    /// The id of the trace.
    #[must_use]
    pub fn trace_id(&self) -> &str {
        &self.trace_id
    }

    /// Whether training with the event was allowed when it was written.
    #[must_use]
    pub fn train_ok(&self) -> bool {
        self.stamp.train_ok
    }

    /// What the PII engine found in the event.
    #[must_use]
    pub fn pii_flags(&self) -> &ScrubReport {
        &self.pii_flags
    }

    /// Input, output, metadata and all other fields, scrubbed, as JSON text.
    #[must_use]
    pub fn body(&self) -> &RawValue {
        &self.body
    }

    /// SHA-256 of the event's content without its time and request id, so that a repeated event has the same
    /// fingerprint. It covers the scrubbed event: a hash of the raw event would let anyone with access to the store
    /// test guesses of what was removed.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        let (actor, body) = (&self.stamp.actor, self.body.get());
        // The body begins with the request id, which is a JSON string. A retry is another request, so the id is left
        // out.
        let said = body.strip_prefix("{\"request_id\":").and_then(|rest| {
            let mut values = serde_json::Deserializer::from_str(rest).into_iter::<serde::de::IgnoredAny>();
            values.next()?.ok()?;
            rest.get(values.byte_offset()..)
        });
        let mut hash = Sha256::new();
        for part in [&*self.surface, &self.agent_id, actor.id.as_str(), actor.kind.as_str(), said.unwrap_or(body)] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.finalize().into()
    }

    /// Bytes of content.
    #[must_use]
    pub fn size(&self) -> usize {
        self.body.get().len()
    }

    /// For backends: the event as it is read back, with this sequence number.
    #[must_use]
    pub fn into_stored(self, seq: Seq) -> StoredEvent {
        StoredEvent {
            seq,
            event_id: self.stamp.event_id,
            ts: self.stamp.ts,
            surface: self.surface,
            agent_id: self.agent_id,
            event_type: self.event_type,
            trace_id: self.trace_id,
            actor: self.stamp.actor,
            train_ok: self.stamp.train_ok,
            pii_flags: self.pii_flags,
            body: self.body,
        }
    }
}
