//! Commands as clients send them.

use std::{fmt, sync::Arc};

use engines_core::{Error, ResourceId, Result, stream::Routing};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::request_fields::{ClientIds, check_short_text, null_as_default};

/// The most bytes of an intent's label, and of its reason.
const MAX_INTENT_TEXT_BYTES: usize = 4096;

/// What happens to a command whose base is no longer the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnConflict {
    /// The command is rejected with `REV_MISMATCH`.
    #[default]
    Reject,
    /// The command is applied at the head if no commit since its base touches what it touches; otherwise it is
    /// rejected. Earlier commands of the same actor count too.
    Rebase,
}

/// Whether a person or an agent initiated a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IntentOrigin {
    /// A person.
    Human,
    /// An AI agent.
    Agent,
}

/// The purpose of a command. It is stored with the commit, for people to read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Intent {
    /// The purpose in a few words; at most 4 KiB.
    #[serde(default)]
    pub label: Option<String>,
    /// The reason; at most 4 KiB.
    #[serde(default)]
    pub why: Option<String>,
    /// Whether a person or an agent initiated it.
    #[serde(default)]
    pub origin: Option<IntentOrigin>,
}

impl Intent {
    /// The bytes of the intent's texts.
    pub(super) fn bytes(&self) -> usize {
        [&self.label, &self.why].into_iter().flatten().map(String::len).sum()
    }
}

/// A batch of ops against one revision. Decodes from the request body.
///
/// A command with an `idempotency_key` takes effect once for this actor and canvas, however often it is sent. A
/// `command_id` is only stored with the commit: it does not detect a repeated command.
#[derive(Clone, Deserialize)]
pub struct CanvasCommand {
    /// The version of this format: 1.
    #[serde(default = "default_version", deserialize_with = "null_as_default_version")]
    pub v: u32,
    /// The client's name for the command.
    #[serde(default)]
    pub command_id: Option<ResourceId>,
    /// The idempotency key, unique to this actor and canvas.
    #[serde(default)]
    pub idempotency_key: Option<String>,
    /// The revision the command was written against.
    pub base_rev: u64,
    /// An id chosen by the client, to recognise its own events.
    #[serde(default)]
    pub correlation_id: Option<Arc<str>>,
    /// The run of an agent.
    #[serde(default)]
    pub run_id: Option<Arc<str>>,
    /// The step of that run.
    #[serde(default)]
    pub step_id: Option<Arc<str>>,
    /// The purpose of the command.
    #[serde(default)]
    pub intent: Option<Intent>,
    /// What happens if the base is no longer the head.
    #[serde(default, deserialize_with = "null_as_default")]
    pub on_conflict: OnConflict,
    /// The ops: a JSON array, at least one.
    pub ops: Box<RawValue>,
    /// Routing keys for readers.
    #[serde(default, deserialize_with = "null_as_default")]
    pub routing: Routing,
}

fn default_version() -> u32 {
    1
}

fn null_as_default_version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(1))
}

impl CanvasCommand {
    /// Makes a command with these ops and default fields; `ops` is anything that serialises to a JSON array of ops,
    /// such as `Vec<Op>` or a [`serde_json::Value`].
    ///
    /// # Errors
    /// `INTERNAL` when `ops` cannot be serialised.
    pub fn new(base_rev: u64, ops: &impl Serialize) -> Result<Self> {
        let ops = to_raw_value(ops).map_err(|error| Error::internal("canvas.command", error))?;
        Ok(Self {
            v: 1,
            command_id: None,
            idempotency_key: None,
            base_rev,
            correlation_id: None,
            run_id: None,
            step_id: None,
            intent: None,
            on_conflict: OnConflict::Reject,
            ops,
            routing: Routing::default(),
        })
    }

    /// Sets the idempotency key.
    #[must_use]
    pub fn with_idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// Sets [`OnConflict::Rebase`].
    #[must_use]
    pub fn with_rebase(mut self) -> Self {
        self.on_conflict = OnConflict::Rebase;
        self
    }

    pub(super) fn check(&self, operation: &'static str) -> Result<()> {
        if self.v != 1 {
            return Err(Error::invalid_body(operation, "v", "v must be 1"));
        }
        if let Some(key) = &self.idempotency_key {
            check_short_text(operation, "idempotency_key", key)?;
        }
        if let Some(intent) = &self.intent {
            for (field, text) in [("intent.label", &intent.label), ("intent.why", &intent.why)] {
                if text.as_ref().is_some_and(|text| text.len() > MAX_INTENT_TEXT_BYTES) {
                    return Err(Error::invalid_body(
                        operation,
                        field,
                        format!("{field} has at most {MAX_INTENT_TEXT_BYTES} bytes"),
                    ));
                }
            }
        }
        self.client_ids().check(operation)
    }

    pub(super) fn client_ids(&self) -> ClientIds<'_> {
        ClientIds { correlation_id: &self.correlation_id, run_id: &self.run_id, step_id: &self.step_id }
    }
}

impl fmt::Debug for CanvasCommand {
    /// Omits the ops, because they are content.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CanvasCommand")
            .field("command_id", &self.command_id)
            .field("base_rev", &self.base_rev)
            .field("on_conflict", &self.on_conflict)
            .field("bytes", &self.ops.get().len())
            .finish_non_exhaustive()
    }
}
