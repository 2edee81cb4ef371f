//! Events of a stream, before and after they have a sequence number.

use std::{borrow::Cow, fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use ulid::Ulid;

use super::Routing;
use crate::{
    clock::Timestamp,
    context::{Actor, RequestContext},
    trace::{SpanId, TraceId},
};

/// A sequence number in a stream: starts at 1, rises by one, has no gaps. 0 is before the first event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl Seq {
    /// The position before the first event.
    pub const ZERO: Self = Self(0);

    /// The next sequence number.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The sequence number `count` further on.
    #[must_use]
    pub const fn plus(self, count: u64) -> Self {
        Self(self.0 + count)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The type of an event: `user_message`, `canvas_commit`, `gesture`, …
pub type EventType = Cow<'static, str>;

/// How important an event is for a reader that falls behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventPriority {
    /// Part of the stored state: never dropped.
    #[default]
    Truth,
    /// Informative.
    Info,
    /// Ephemeral; dropped first.
    Gesture,
}

/// Whether an event is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Persistence {
    /// Always stored.
    #[default]
    Always,
    /// Stored for some events.
    Sampled,
    /// Never stored.
    Never,
}

/// How an event is treated.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct EventMeta {
    /// The schema of `data`, if it has one.
    pub schema: Option<Arc<str>>,
    /// The event's importance.
    pub priority: EventPriority,
    /// Whether the event is stored.
    pub persist: Persistence,
}

impl EventMeta {
    /// The metadata of an ephemeral event.
    #[must_use]
    pub fn ephemeral() -> Self {
        Self { schema: None, priority: EventPriority::Gesture, persist: Persistence::Never }
    }
}

/// Ids that relate an event to a request or a run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CorrelationIds {
    /// The request that made the event.
    pub request_id: Option<Arc<str>>,
    /// An id chosen by the client, to recognise its own events.
    pub correlation_id: Option<Arc<str>>,
    /// The run of an agent.
    pub run_id: Option<Arc<str>>,
    /// The step of that run.
    pub step_id: Option<Arc<str>>,
}

/// An event to be appended: everything but its sequence number.
///
/// Its serialized form is meant for backends. It must be read from JSON text, because `data` stays text.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NewEvent {
    /// The event's id.
    pub event_id: Ulid,
    /// The event's type.
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// The time at which the event was made.
    pub ts: Timestamp,
    /// The actor that made the event.
    pub actor: Actor,
    /// The trace the event is part of.
    pub trace_id: TraceId,
    /// The span the event is part of.
    pub span_id: SpanId,
    /// The request and the run the event is part of.
    pub ids: CorrelationIds,
    /// Routing keys in addition to scope, stream and actor.
    pub routing: Routing,
    /// The payload, as JSON text.
    pub data: Box<RawValue>,
    /// How the event is treated.
    pub meta: EventMeta,
}

impl NewEvent {
    /// Makes an event of `context` with the current time.
    #[must_use]
    pub fn new(
        event_id: Ulid,
        ts: Timestamp,
        event_type: impl Into<EventType>,
        context: &RequestContext,
        data: Box<RawValue>,
    ) -> Self {
        let trace = context.trace();
        Self {
            event_id,
            event_type: event_type.into(),
            ts,
            actor: context.actor().clone(),
            trace_id: trace.trace_id,
            span_id: trace.span_id,
            ids: CorrelationIds { request_id: Some(Arc::clone(&trace.request_id)), ..CorrelationIds::default() },
            routing: Routing::default(),
            data,
            meta: EventMeta::default(),
        }
    }

    /// Bytes that count against [`Limits::event_bytes`](crate::Limits::event_bytes).
    #[must_use]
    pub fn size(&self) -> usize {
        self.data.get().len()
    }
}

/// An event with its sequence number. Its serialized form is that of [`NewEvent`] with `seq`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "FlatStreamEvent")]
pub struct StreamEvent {
    /// The sequence number.
    pub seq: Seq,
    /// The event.
    #[serde(flatten)]
    pub event: NewEvent,
}

/// The members of a [`StreamEvent`] in one struct. Serde cannot read JSON text inside a flattened struct.
#[derive(Deserialize)]
struct FlatStreamEvent {
    seq: Seq,
    event_id: Ulid,
    #[serde(rename = "type")]
    event_type: EventType,
    ts: Timestamp,
    actor: Actor,
    trace_id: TraceId,
    span_id: SpanId,
    ids: CorrelationIds,
    routing: Routing,
    data: Box<RawValue>,
    meta: EventMeta,
}

impl From<FlatStreamEvent> for StreamEvent {
    fn from(flat: FlatStreamEvent) -> Self {
        let FlatStreamEvent { seq, event_id, event_type, ts, actor, trace_id, span_id, ids, routing, data, meta } =
            flat;
        Self { seq, event: NewEvent { event_id, event_type, ts, actor, trace_id, span_id, ids, routing, data, meta } }
    }
}
