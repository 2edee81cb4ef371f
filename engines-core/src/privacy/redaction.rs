//! What is asked of the engine, and what it answers. Neither prints its content.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::pii::{Entity, Finding, JsonFinding};

/// What is wanted of what is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RedactMode {
    /// `[EMAIL_ADDRESS]` in its place.
    #[default]
    Mask,
    /// `[EMAIL_ADDRESS:…]`: the same value has the same token in one tenant, and another one in every other.
    Pseudonym,
    /// Only where it is.
    Report,
}

/// A text, or a JSON value.
#[derive(Clone, Default, Deserialize)]
pub struct RedactRequest {
    /// The text.
    #[serde(default)]
    pub text: Option<String>,
    /// The value.
    #[serde(default)]
    pub json: Option<Value>,
    /// What is wanted; `mask` if absent.
    #[serde(default)]
    pub mode: Option<RedactMode>,
}

/// What was found, and what is left without it.
#[derive(Clone, PartialEq, Serialize)]
pub struct RedactOutcome {
    /// What was wanted.
    pub mode: RedactMode,
    /// The name of the policy that was applied.
    pub policy: String,
    /// What was found, in order; at most [`Redacted::MAX_FINDINGS`].
    pub findings: Vec<RedactFinding>,
    /// How many of each entity were found, all of them counted.
    pub counts: BTreeMap<Entity, u64>,
    /// The text without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The value without it, in the same shape.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json: Option<Value>,
}

impl RedactOutcome {
    /// The most findings that are listed.
    pub const MAX_FINDINGS: usize = 10_000;
}

/// One finding. `start` and `end` are bytes of UTF-8: of the text, or of the decoded string at `path`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum RedactFinding {
    /// In a text.
    Text(Finding),
    /// In a JSON value.
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
