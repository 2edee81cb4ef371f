//! Threads and messages as callers see them.

use std::{fmt, sync::Arc};

use engines_core::{
    Cursor, Envelope, Error, ResourceId, Result, Scope, StreamEvent, StreamKey, Timestamp, UserId,
    context::ScopeClaims, stream::Routing,
};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use crate::request_fields::{ClientIds, check_short_text, null_as_default};

/// Bytes of a title.
const MAX_TITLE_BYTES: usize = 1024;
/// Participants named when a thread is made.
const MAX_PARTICIPANTS: usize = 256;

/// A thread that is about to be made. Decodes from the request body.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct NewThread {
    /// Its id; made by the service if there is none.
    pub thread_id: Option<ResourceId>,
    /// Its title, at most 1 KiB.
    pub title: Option<String>,
    /// Who takes part, at most 256. For the product to show; it gives and takes no rights.
    #[serde(deserialize_with = "null_as_default")]
    pub participants: Vec<UserId>,
    /// Where it belongs, such as a workspace.
    #[serde(deserialize_with = "null_as_default")]
    pub routing: Routing,
}

impl NewThread {
    pub(super) fn check(&self, operation: &'static str) -> Result<()> {
        if self.title.as_ref().is_some_and(|title| title.len() > MAX_TITLE_BYTES) {
            return Err(Error::invalid_body(operation, "title", format!("title has at most {MAX_TITLE_BYTES} bytes")));
        }
        if self.participants.len() > MAX_PARTICIPANTS {
            let detail = format!("at most {MAX_PARTICIPANTS} participants can be named");
            return Err(Error::invalid_body(operation, "participants", detail));
        }
        Ok(())
    }
}

/// What is stored of a thread, besides its id and time.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ThreadBody {
    pub(super) title: Option<String>,
    pub(super) participants: Vec<UserId>,
    pub(super) created_by: UserId,
    #[serde(default)]
    pub(super) routing: Routing,
}

/// A thread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Thread {
    /// Its id.
    pub thread_id: ResourceId,
    /// Its title.
    pub title: Option<String>,
    /// Who takes part.
    pub participants: Vec<UserId>,
    /// Who made it.
    pub created_by: UserId,
    /// When.
    pub created_at: Timestamp,
    /// Where it belongs.
    pub routing: Routing,
}

/// A message that is about to be posted. Decodes from the request body.
#[derive(Clone, Default, Deserialize)]
pub struct NewMessage {
    /// What is said; not empty.
    pub text: String,
    /// In which role, such as `user` (the default) or `assistant`.
    #[serde(default)]
    pub role: Option<String>,
    /// What it is about, as the product names it: text or an object.
    #[serde(default)]
    pub scope: Option<Value>,
    /// Makes it take effect once for this actor in this thread.
    #[serde(default)]
    pub idempotency_key: Option<String>,
    /// Chosen by the client, to find its own events again.
    #[serde(default)]
    pub correlation_id: Option<Arc<str>>,
    /// The agent's run.
    #[serde(default)]
    pub run_id: Option<Arc<str>>,
    /// The step in that run.
    #[serde(default)]
    pub step_id: Option<Arc<str>>,
    /// Routing keys for readers.
    #[serde(default, deserialize_with = "null_as_default")]
    pub routing: Routing,
    /// What the client says of tenant and environment; it must agree with the context, and is not stored.
    #[serde(flatten)]
    pub claims: ScopeClaims,
}

impl NewMessage {
    /// A message of this text and nothing else.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    pub(super) fn check(&self, operation: &'static str) -> Result<()> {
        if self.text.is_empty() {
            return Err(Error::invalid_body(operation, "text", "text must not be empty"));
        }
        if let Some(role) = &self.role {
            check_short_text(operation, "role", role)?;
        }
        self.client_ids().check(operation)
    }

    pub(super) fn client_ids(&self) -> ClientIds<'_> {
        ClientIds { correlation_id: &self.correlation_id, run_id: &self.run_id, step_id: &self.step_id }
    }
}

impl fmt::Debug for NewMessage {
    /// Without the text, which is nobody's business but the thread's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewMessage").field("role", &self.role).field("bytes", &self.text.len()).finish_non_exhaustive()
    }
}

/// A message that is in the log. Serialises as its envelope.
#[derive(Debug, Clone)]
pub struct PostedMessage {
    /// Where.
    pub scope: Scope,
    /// In which thread's stream.
    pub key: StreamKey,
    /// The event, durable.
    pub event: StreamEvent,
    /// The cursor that leads past it.
    pub cursor: Cursor,
    /// It was posted before with this idempotency key; this is the first answer again.
    pub replayed: bool,
}

impl PostedMessage {
    /// The event as readers see it.
    #[must_use]
    pub fn envelope(&self) -> Envelope<'_> {
        Envelope::durable(&self.scope, &self.key, &self.event, &self.cursor)
    }
}

impl Serialize for PostedMessage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.envelope().serialize(serializer)
    }
}
