//! Requests and results of redaction. Neither prints its content.

use std::{collections::BTreeMap, fmt};

use engines_core::pii::{Entity, Finding, JsonFinding};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How findings are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RedactMode {
    /// Each finding is replaced by its entity, such as `[EMAIL_ADDRESS]`.
    #[default]
    Mask,
    /// Each finding is replaced by a token, such as `[EMAIL_ADDRESS:…]`. The same value has the same token within one
    /// tenant, and another token in every other tenant.
    Pseudonym,
    /// The findings are listed and nothing is replaced.
    Report,
}

/// A text or a JSON value to be redacted.
#[derive(Clone, Default, Deserialize)]
pub struct RedactRequest {
    /// The text.
    #[serde(default)]
    pub text: Option<String>,
    /// The JSON value.
    #[serde(default)]
    pub json: Option<Value>,
    /// How findings are treated; `mask` if absent.
    #[serde(default)]
    pub mode: Option<RedactMode>,
}

/// The findings, and the redacted text or value.
#[derive(Clone, PartialEq, Serialize)]
pub struct RedactOutcome {
    /// How findings were treated.
    pub mode: RedactMode,
    /// The name of the policy that was applied.
    pub policy: String,
    /// The findings in order; at most [`RedactOutcome::MAX_FINDINGS`].
    pub findings: Vec<RedactFinding>,
    /// The number of findings of each entity, including those that are not listed.
    pub counts: BTreeMap<Entity, u64>,
    /// The redacted text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The redacted value, in the same shape.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json: Option<Value>,
}

impl RedactOutcome {
    /// The most findings that are listed.
    pub const MAX_FINDINGS: usize = 10_000;
}

/// One finding. `start` and `end` are offsets in bytes of UTF-8: of the text, or of the decoded string at `path`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum RedactFinding {
    /// A finding in a text.
    Text(Finding),
    /// A finding in a JSON value.
    Json(JsonFinding),
}

impl fmt::Debug for RedactRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedactRequest").field("mode", &self.mode).finish_non_exhaustive()
    }
}

impl fmt::Debug for RedactOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redacted").field("mode", &self.mode).field("counts", &self.counts).finish_non_exhaustive()
    }
}
