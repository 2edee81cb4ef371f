//! The common event of an agent, said in one expression.

use std::fmt;

use serde_json::{Map, Value};

use super::DatasetEvent;
use crate::{context::ActorType, trace::TraceId};

/// An event of an agent: what went in, what came out, and what there is to know about it. Like the [`DatasetEvent`] it becomes, it does
/// not print its content.
///
/// ```
/// # use engines_core::event::{DatasetEvent, EventLogEntry};
/// let entry = EventLogEntry::new("checkout", "pricing-agent")
///     .input("question", "What does the large one cost?")
///     .output("answer", "12 euros")
///     .metadata("model", "small-1")
///     .metadata("latency_ms", 140)
///     .event_type("answer")
///     .idempotency_key("run-7/step-3");
/// let event = DatasetEvent::from(entry);
/// assert_eq!(event.surface, "checkout");
/// assert_eq!(event.input["question"], "What does the large one cost?");
/// ```
#[derive(Clone)]
#[must_use]
pub struct EventLogEntry(DatasetEvent);

impl EventLogEntry {
    /// An event of this part of the product, about this agent; neither may be empty.
    pub fn new(surface: impl Into<String>, agent_id: impl Into<String>) -> Self {
        Self(DatasetEvent { surface: surface.into(), agent_id: agent_id.into(), ..DatasetEvent::default() })
    }

    /// Adds something that went in.
    pub fn input(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.0.input.insert(name.into(), value.into());
        self
    }

    /// All that went in, instead of what was said before.
    pub fn inputs(mut self, input: Map<String, Value>) -> Self {
        self.0.input = input;
        self
    }

    /// Adds something that came out.
    pub fn output(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.0.output.insert(name.into(), value.into());
        self
    }

    /// All that came out, instead of what was said before.
    pub fn outputs(mut self, output: Map<String, Value>) -> Self {
        self.0.output = output;
        self
    }

    /// Adds something about it.
    pub fn metadata(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.0.metadata.insert(name.into(), value.into());
        self
    }

    /// Who acted, if it was not the caller's own kind.
    pub fn actor_type(mut self, kind: ActorType) -> Self {
        self.0.actor_type = Some(kind.as_str().to_owned());
        self
    }

    /// What kind of event (`analytics_event_type`), to find it by.
    pub fn event_type(mut self, kind: impl Into<String>) -> Self {
        self.0.analytics_event_type = Some(kind.into());
        self
    }

    /// The trace it belongs to, if it is not the request's.
    pub fn trace(mut self, trace_id: TraceId) -> Self {
        self.0.trace_id = Some(trace_id.to_string());
        self
    }

    /// The episode it belongs to: one attempt of an agent at one task, say.
    pub fn episode(mut self, episode_id: impl Into<String>) -> Self {
        self.0.episode_id = Some(episode_id.into());
        self
    }

    /// Where its reader came from: `campaign("source", "newsletter")` is `utm_source`.
    pub fn campaign(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.extra.insert(format!("utm_{name}"), value.into());
        self
    }

    /// Makes it take effect once, however often it is sent: 1 to 255 bytes.
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.0.idempotency_key = Some(key.into());
        self
    }
}

impl From<EventLogEntry> for DatasetEvent {
    fn from(entry: EventLogEntry) -> Self {
        entry.0
    }
}

impl fmt::Debug for EventLogEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EventLogEntry { raw }")
    }
}
