//! The types of requests and answers about threads and messages.

use std::{fmt, sync::Arc};

use engines_core::{
    Cursor, Envelope, Error, ResourceId, Result, Scope, StreamEvent, StreamKey, Timestamp, UserId,
    context::ScopeClaims, stream::Routing,
};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use crate::request_fields::{ClientIds, check_short_text, null_as_default};

/// The most bytes of a title.
const MAX_TITLE_BYTES: usize = 1024;
/// The most participants of a new thread.
const MAX_PARTICIPANTS: usize = 256;

/// A thread to be created. Decodes from the request body.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct NewThread {
    /// The id of the thread; the service generates one if it is absent.
    pub thread_id: Option<ResourceId>,
    /// The title, at most 1 KiB.
    pub title: Option<String>,
    /// The participants, at most 256. They are for display and do not affect permissions.
    #[serde(deserialize_with = "null_as_default")]
    pub participants: Vec<UserId>,
    /// Routing keys, such as the workspace.
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

/// The stored form of a thread, without its id and time.
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
    /// The thread's id.
    pub thread_id: ResourceId,
    /// The title.
    pub title: Option<String>,
    /// The participants.
    pub participants: Vec<UserId>,
    /// The user who created the thread.
    pub created_by: UserId,
    /// The time of the creation.
    pub created_at: Timestamp,
    /// Routing keys, such as the workspace.
    pub routing: Routing,
}

/// A message to be posted. Decodes from the request body.
#[derive(Clone, Default, Deserialize)]
pub struct NewMessage {
    /// The text; not empty.
    pub text: String,
    /// The role, such as `user` (the default) or `assistant`.
    #[serde(default)]
    pub role: Option<String>,
    /// The subject of the message in terms of the product: text or an object.
    #[serde(default)]
    pub scope: Option<Value>,
    /// The idempotency key, unique to this actor and thread.
    #[serde(default)]
    pub idempotency_key: Option<String>,
    /// An id chosen by the client, to recognise its own events.
    #[serde(default)]
    pub correlation_id: Option<Arc<str>>,
    /// The run of an agent.
    #[serde(default)]
    pub run_id: Option<Arc<str>>,
    /// The step of that run.
    #[serde(default)]
    pub step_id: Option<Arc<str>>,
    /// Routing keys for readers.
    #[serde(default, deserialize_with = "null_as_default")]
    pub routing: Routing,
    /// The tenant and environment that the client names. They must agree with the context, and are not stored.
    #[serde(flatten)]
    pub claims: ScopeClaims,
}

impl NewMessage {
    /// Makes a message of this text with default fields.
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
    /// Omits the text, because it is content.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewMessage").field("role", &self.role).field("bytes", &self.text.len()).finish_non_exhaustive()
    }
}

/// A posted message. Serialises as its envelope.
#[derive(Debug, Clone)]
pub struct PostedMessage {
    /// The scope of the thread.
    pub scope: Scope,
    /// The key of the thread's stream.
    pub key: StreamKey,
    /// The durable event.
    pub event: StreamEvent,
    /// The cursor behind the event.
    pub cursor: Cursor,
    /// The message was posted before with this idempotency key; this is the first answer again.
    pub replayed: bool,
}

impl PostedMessage {
    /// The event as readers get it.
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
