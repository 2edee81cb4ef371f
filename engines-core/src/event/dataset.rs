//! Raw dataset events as producers send them. They are never stored.

use std::fmt;

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// A raw event as a producer sends it. It does not print its content, cannot be serialised and cannot be stored.
///
/// The camelCase names of older producers are also accepted.
///
/// ```compile_fail
/// let text = serde_json::to_string(&engines_core::DatasetEvent::default());
/// ```
#[derive(Clone, Default, Deserialize)]
pub struct DatasetEvent {
    /// The part of the product the event is from.
    pub surface: String,
    /// The agent the event is about.
    #[serde(alias = "agentId")]
    pub agent_id: String,
    /// The input of the agent.
    pub input: Map<String, Value>,
    /// The output of the agent.
    pub output: Map<String, Value>,
    /// Metadata of any kind.
    #[serde(default, deserialize_with = "null_as_default")]
    pub metadata: Map<String, Value>,
    /// The actor's type (`human`, `agent` or `system`) if it differs from the caller's.
    #[serde(default, alias = "actorType")]
    pub actor_type: Option<String>,
    /// The trace of the event if it differs from the request's.
    #[serde(default, alias = "traceId")]
    pub trace_id: Option<String>,
    /// The request of the event if it differs from this one.
    #[serde(default, alias = "requestId")]
    pub request_id: Option<String>,
    /// The type of an analytics event.
    #[serde(default)]
    pub analytics_event_type: Option<String>,
    /// The platform of an analytics event.
    #[serde(default)]
    pub analytics_platform: Option<String>,
    /// The alternative text of an asset, for readers who cannot see it.
    #[serde(default)]
    pub asset_alt_text: Option<String>,
    /// The episode the event belongs to.
    #[serde(default)]
    pub episode_id: Option<String>,
    /// The idempotency key: an event with the same key is recorded once.
    #[serde(default)]
    pub idempotency_key: Option<String>,
    /// All other members: `utm_*` and `seo_*` are kept, the rest is ignored.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

fn null_as_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> std::result::Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

impl DatasetEvent {
    /// The approximate size of the event in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        let texts = [
            &self.actor_type,
            &self.trace_id,
            &self.request_id,
            &self.analytics_event_type,
            &self.analytics_platform,
            &self.asset_alt_text,
            &self.episode_id,
            &self.idempotency_key,
        ];
        let texts: usize = texts.into_iter().flatten().map(String::len).sum();
        let maps: usize = [&self.input, &self.output, &self.metadata, &self.extra].into_iter().map(map_size).sum();
        self.surface.len() + self.agent_id.len() + texts + maps
    }

    /// The `utm_*` and `seo_*` members.
    pub fn campaign(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.extra.iter().filter(|(name, _)| name.starts_with("utm_") || name.starts_with("seo_"))
    }
}

/// The approximate number of bytes a value takes besides its text.
const VALUE_OVERHEAD_BYTES: usize = 32;

fn map_size(map: &Map<String, Value>) -> usize {
    map.iter().map(|(name, value)| name.len() + value_size(value)).sum()
}

fn value_size(value: &Value) -> usize {
    VALUE_OVERHEAD_BYTES
        + match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
            Value::String(text) => text.len(),
            Value::Array(values) => values.iter().map(value_size).sum(),
            Value::Object(map) => map_size(map),
        }
}

impl fmt::Debug for DatasetEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DatasetEvent { raw }")
    }
}
