//! A builder for an agent's event.

use std::fmt;

use serde_json::{Map, Value};

use super::DatasetEvent;
use crate::{context::ActorType, trace::TraceId};

/// Builds an agent's event: its input, its output and metadata. Like the [`DatasetEvent`] it becomes, it does not print
/// its content.
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
    /// Starts an event of a part of the product, about an agent; neither name may be empty.
    pub fn new(surface: impl Into<String>, agent_id: impl Into<String>) -> Self {
        Self(DatasetEvent { surface: surface.into(), agent_id: agent_id.into(), ..DatasetEvent::default() })
    }

    /// Adds an input value.
    pub fn input(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.0.input.insert(name.into(), value.into());
        self
    }

    /// Replaces all input values.
    pub fn inputs(mut self, input: Map<String, Value>) -> Self {
        self.0.input = input;
        self
    }

    /// Adds an output value.
    pub fn output(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.0.output.insert(name.into(), value.into());
        self
    }

    /// Replaces all output values.
    pub fn outputs(mut self, output: Map<String, Value>) -> Self {
        self.0.output = output;
        self
    }

    /// Adds a metadata value.
    pub fn metadata(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.0.metadata.insert(name.into(), value.into());
        self
    }

    /// Sets the type of the actor if it differs from the caller's.
    pub fn actor_type(mut self, kind: ActorType) -> Self {
        self.0.actor_type = Some(kind.as_str().to_owned());
        self
    }

    /// Sets the type of event (`analytics_event_type`), which lists can be filtered by.
    pub fn event_type(mut self, kind: impl Into<String>) -> Self {
        self.0.analytics_event_type = Some(kind.into());
        self
    }

    /// Sets the trace the event belongs to if it differs from the request's.
    pub fn trace(mut self, trace_id: TraceId) -> Self {
        self.0.trace_id = Some(trace_id.to_string());
        self
    }

    /// Sets the episode the event belongs to, such as one attempt of an agent at one task.
    pub fn episode(mut self, episode_id: impl Into<String>) -> Self {
        self.0.episode_id = Some(episode_id.into());
        self
    }

    /// Adds a campaign parameter: `campaign("source", "newsletter")` becomes `utm_source`.
    pub fn campaign(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.extra.insert(format!("utm_{name}"), value.into());
        self
    }

    /// Sets the idempotency key, 1 to 255 bytes, so that the event is recorded once however often it is sent.
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
