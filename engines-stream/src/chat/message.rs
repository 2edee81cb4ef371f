//! The content of a message's event.

use std::{borrow::Cow, fmt};

use engines_core::{Error, ResourceId, Result, StreamEvent};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use ulid::Ulid;

/// The type of a message's event.
pub const USER_MESSAGE: &str = "user_message";

/// The `data` of a message's event.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct ChatMessage<'a> {
    /// The message's id: the event's id, because the message is the event.
    pub message_id: Ulid,
    /// The thread.
    pub thread_id: Cow<'a, ResourceId>,
    /// The text.
    #[serde(borrow)]
    pub text: Cow<'a, str>,
    /// The role, such as `user` or `assistant`.
    #[serde(borrow)]
    pub role: Cow<'a, str>,
    /// The subject of the message in terms of the product: text or an object.
    pub scope: Option<Cow<'a, Value>>,
}

impl<'a> ChatMessage<'a> {
    /// Decodes a message's event.
    ///
    /// # Errors
    /// `INTERNAL` when the event is not a message.
    pub fn from_event(event: &'a StreamEvent) -> Result<Self> {
        Self::from_data(event.event.data.get())
    }

    pub(crate) fn from_data(data: &'a str) -> Result<Self> {
        serde_json::from_str(data).map_err(|error| Error::internal("chat.log", error))
    }
}

impl fmt::Debug for ChatMessage<'_> {
    /// Omits the text, because it is content.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChatMessage")
            .field("message_id", &self.message_id)
            .field("role", &self.role)
            .field("bytes", &self.text.len())
            .finish_non_exhaustive()
    }
}
