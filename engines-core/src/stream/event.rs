//! An event of a stream, before and after it has its place in the log.

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

/// A place in a stream: starts at 1, rises by one, has no holes. 0 is before the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl Seq {
    /// Before the first event.
    pub const ZERO: Self = Self(0);

    /// The next place.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// `count` places on.
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

/// What kind of event: `user_message`, `canvas_commit`, `gesture`, …
pub type EventType = Cow<'static, str>;

/// How much an event matters to a reader that falls behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventPriority {
    /// Part of what is true: never dropped.
    #[default]
    Truth,
    /// Worth knowing.
    Info,
    /// Live only; dropped first.
    Gesture,
}

/// Whether an event is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Persistence {
    /// In the log.
    #[default]
    Always,
    /// Some of them.
    Sampled,
    /// Never.
    Never,
}

/// How an event is to be treated.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct EventMeta {
    /// The schema of `data`, where it has one.
    pub schema: Option<Arc<str>>,
    /// How much it matters.
    pub priority: EventPriority,
    /// Whether it is kept.
    pub persist: Persistence,
}

impl EventMeta {
    /// For what is live only.
    #[must_use]
    pub fn ephemeral() -> Self {
        Self { schema: None, priority: EventPriority::Gesture, persist: Persistence::Never }
    }
}

/// The ids that tie an event to the work it is part of.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CorrelationIds {
    /// The request that made it.
    pub request_id: Option<Arc<str>>,
    /// Chosen by the client, to find its own events again.
    pub correlation_id: Option<Arc<str>>,
    /// The agent's run.
    pub run_id: Option<Arc<str>>,
    /// The step in that run.
    pub step_id: Option<Arc<str>>,
}

/// An event that is about to be appended: everything but its place.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Its id.
    pub event_id: Ulid,
    /// Its type.
    pub event_type: EventType,
    /// When it was made.
    pub ts: Timestamp,
    /// Who made it.
    pub actor: Actor,
    /// The trace it is part of.
    pub trace_id: TraceId,
    /// The span it is part of.
    pub span_id: SpanId,
    /// The request and work it is part of.
    pub ids: CorrelationIds,
    /// Routing keys besides scope, stream and actor.
    pub routing: Routing,
    /// The payload, as JSON text.
    pub data: Box<RawValue>,
    /// How to treat it.
    pub meta: EventMeta,
}

impl NewEvent {
    /// An event made by `context` now.
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

    /// Bytes that count against `Limits::event_bytes`.
    #[must_use]
    pub fn size(&self) -> usize {
        self.data.get().len()
    }
}

/// An event in its place in the log.
#[derive(Debug, Clone)]
pub struct StreamEvent {
    /// Its place.
    pub seq: Seq,
    /// The event.
    pub event: NewEvent,
}
