//! What goes over the socket besides envelopes.

use bytes::Bytes;
use engines_core::{Code, Error, Limits, Result, json};
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

/// The subprotocol both sides name.
pub const SUBPROTOCOL: &str = "engines.v1";

/// A client's message. Each may carry a `ref`, which is echoed in its `ack` or `error`.
#[derive(Debug, Deserialize)]
pub struct ClientMessage {
    /// Echoed.
    #[serde(rename = "ref", default)]
    pub reference: Option<Value>,
    /// What it asks for.
    #[serde(flatten)]
    pub request: Request,
}

/// What a client asks for. `stream` may be left out on a socket that is about one stream.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Request {
    /// Follow a stream from now on, or from after a cursor.
    Subscribe {
        /// `kind/id`.
        #[serde(default)]
        stream: Option<String>,
        /// The last cursor seen.
        #[serde(default)]
        after: Option<String>,
        /// `start` for the first event there is.
        #[serde(default)]
        from: Option<String>,
        /// As the query parameter of the same name.
        #[serde(default)]
        channels: Option<String>,
    },
    /// Follow it no longer.
    Unsubscribe {
        /// `kind/id`.
        #[serde(default)]
        stream: Option<String>,
    },
    /// Say something in a thread.
    Message {
        /// `chat/{id}`.
        #[serde(default)]
        stream: Option<String>,
        /// What is said.
        text: String,
        /// `user` when not said.
        #[serde(default)]
        role: Option<String>,
        /// As in the HTTP body.
        #[serde(default)]
        scope: Option<Value>,
        /// Makes it take effect once.
        #[serde(default)]
        idempotency_key: Option<String>,
    },
    /// Show a gesture to those who are there.
    Gesture {
        /// `canvas/{id}`.
        #[serde(default)]
        stream: Option<String>,
        /// What kind.
        kind: String,
        /// Anything.
        #[serde(default)]
        data: Value,
    },
    /// Say something about oneself to those who are there.
    Presence {
        /// `kind/id`.
        #[serde(default)]
        stream: Option<String>,
        /// Anything.
        #[serde(default)]
        data: Value,
    },
    /// Answered by `pong`.
    Ping,
}

impl ClientMessage {
    /// Reads one.
    ///
    /// # Errors
    /// `BODY_INVALID`, naming the field.
    pub fn parse(text: &[u8], limits: &Limits) -> Result<Self> {
        json::decode(text, limits, "ws.message")
    }
}

/// Why the server closes the socket (RFC 6455 section 7.4.2: 4000–4999 are ours).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseCode {
    /// The server is going away: come back with the last cursor.
    GoingAway,
    /// The credential is missing, wrong or over.
    Token,
    /// The caller may not.
    Forbidden,
    /// No such stream.
    NotFound,
    /// Silent for too long.
    Silent,
    /// A frame was too large.
    TooLarge,
    /// Too many subscriptions or messages.
    TooMany,
    /// A failure on our side.
    Failure,
}

impl CloseCode {
    /// The number on the wire.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::GoingAway => 1001,
            Self::Failure => 1011,
            Self::Token => 4401,
            Self::Forbidden => 4403,
            Self::NotFound => 4404,
            Self::Silent => 4408,
            Self::TooLarge => 4413,
            Self::TooMany => 4429,
        }
    }

    /// The code for an error that ends a socket.
    #[must_use]
    pub fn of(error: &Error) -> Self {
        match error.code().status() {
            401 => Self::Token,
            403 => Self::Forbidden,
            404 => Self::NotFound,
            413 => Self::TooLarge,
            429 => Self::TooMany,
            _ if error.code() == Code::ShuttingDown => Self::GoingAway,
            _ => Self::Failure,
        }
    }
}

/// Serialises a message of ours.
pub(crate) fn encode(message: &impl Serialize) -> Bytes {
    serde_json::to_vec(message).unwrap_or_else(|_| br#"{"type":"error","code":"INTERNAL"}"#.to_vec()).into()
}

/// What we say that is no envelope.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Reply<'a> {
    Hello {
        session_id: String,
        heartbeat_s: u64,
    },
    Ack {
        #[serde(rename = "ref")]
        reference: &'a Option<Value>,
        #[serde(flatten)]
        extra: Value,
    },
    Error {
        #[serde(rename = "ref")]
        reference: &'a Option<Value>,
        code: Code,
        detail: &'a str,
        /// The same in the place where an envelope's errors have it, with the error's members.
        data: Value,
    },
    Pong {
        #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: &'a Option<Value>,
    },
}

pub(crate) fn error_reply(reference: &Option<Value>, error: &Error) -> Bytes {
    let mut data = error.members().clone();
    data.insert("code".into(), error.code().as_str().into());
    data.insert("detail".into(), error.detail().into());
    encode(&Reply::Error { reference, code: error.code(), detail: error.detail(), data: Value::Object(data) })
}

/// JSON text of a value a client sent.
pub(crate) fn raw(value: &Value) -> Result<Box<RawValue>> {
    serde_json::value::to_raw_value(value).map_err(|error| Error::internal("ws.encode", error))
}
