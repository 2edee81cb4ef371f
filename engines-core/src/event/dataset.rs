//! The event as a producer sends it: raw, and never stored like that.

use std::fmt;

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::{
    context::{Actor, ActorType},
    error::{Error, Result},
};

/// An event as a producer sends it. It does not print its content, does not serialise, and cannot be stored.
///
/// Reads the camelCase names of older producers too.
///
/// ```compile_fail
/// let text = serde_json::to_string(&engines_core::DatasetEvent::default());
/// ```
#[derive(Clone, Default, Deserialize)]
pub struct DatasetEvent {
    /// Which part of the product it is from.
    pub surface: String,
    /// Which agent it is about.
    #[serde(alias = "agentId")]
    pub agent_id: String,
    /// What went in.
    pub input: Map<String, Value>,
    /// What came out.
    pub output: Map<String, Value>,
    /// Anything about it.
    #[serde(default, deserialize_with = "null_as_default")]
    pub metadata: Map<String, Value>,
    /// Who acted, if it was not the caller's own kind: `human`, `agent` or `system`.
    #[serde(default, alias = "actorType")]
    pub actor_type: Option<String>,
    /// The trace it belongs to, if it is not the request's.
    #[serde(default, alias = "traceId")]
    pub trace_id: Option<String>,
    /// The request it belongs to, if it is not this one.
    #[serde(default, alias = "requestId")]
    pub request_id: Option<String>,
    /// What kind of analytics event.
    #[serde(default)]
    pub analytics_event_type: Option<String>,
    /// On which platform.
    #[serde(default)]
    pub analytics_platform: Option<String>,
    /// The text for those who cannot see the asset.
    #[serde(default)]
    pub asset_alt_text: Option<String>,
    /// The episode it belongs to.
    #[serde(default)]
    pub episode_id: Option<String>,
    /// Makes it take effect once.
    #[serde(default)]
    pub idempotency_key: Option<String>,
    /// Everything else: `utm_*` and `seo_*` are kept, the rest is ignored.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

fn null_as_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> std::result::Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

impl DatasetEvent {
    /// About how many bytes it has.
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

    /// All that it says, without the ids of its request and trace, which a retry changes: the same bytes for the same event.
    ///
    /// # Errors
    /// `INTERNAL` when it cannot be encoded.
    pub(super) fn canonical_bytes(&self, actor: &Actor) -> Result<Vec<u8>> {
        let campaign: Vec<_> = self.campaign().collect();
        let names = [&self.analytics_event_type, &self.analytics_platform, &self.asset_alt_text, &self.episode_id];
        let kind = self.actor_type.as_deref().and_then(ActorType::from_wire).unwrap_or(actor.kind);
        let heads = (&self.surface, &self.agent_id, actor.id.as_str(), kind.as_str());
        let all = (heads, names, &self.input, &self.output, &self.metadata, campaign);
        serde_json::to_vec(&all).map_err(|error| Error::internal("event.said", error))
    }

    /// The `utm_*` and `seo_*` members.
    pub fn campaign(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.extra.iter().filter(|(name, _)| name.starts_with("utm_") || name.starts_with("seo_"))
    }
}

/// Bytes a value takes besides its text, roughly.
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
