//! The WebSocket messages other than envelopes.

use std::sync::Arc;

use bytes::Bytes;
use engines_core::{Code, Error, ErrorKind, Limits, Result, context::ScopeClaims, json, stream::Routing};
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

use crate::request_fields::null_as_default;

/// The subprotocol that client and server name.
pub const SUBPROTOCOL: &str = "engines.v1";

/// A client's message. It may carry a `ref`, which is repeated in its `ack` or `error`.
#[derive(Debug, Deserialize)]
pub struct ClientMessage {
    /// The client's `ref`, which is repeated in the answer.
    #[serde(rename = "ref", default)]
    pub reference: Option<Value>,
    /// The tenant; must agree with the context of the socket.
    #[serde(default)]
    pub tenant_id: Option<String>,
    /// The tenant under the name that older producers use; must agree with the context of the socket.
    #[serde(rename = "tenantId", default)]
    pub camel_case_tenant_id: Option<String>,
    /// The environment; must agree with the context of the socket.
    #[serde(default)]
    pub env: Option<String>,
    /// Routing keys. Those that name the tenant, environment, user or stream must agree with the context and the
    /// request.
    #[serde(default, deserialize_with = "null_as_default")]
    pub routing: Routing,
    /// The request.
    #[serde(flatten)]
    pub request: ClientRequest,
}

/// A client's request. `stream` may be absent on a socket of one stream.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientRequest {
    /// Follows a stream from now on, or from behind a cursor.
    Subscribe {
        /// The stream, as `kind/id`.
        #[serde(default)]
        stream: Option<String>,
        /// The last cursor the client saw.
        #[serde(default)]
        after: Option<String>,
        /// `start` to begin with the oldest event.
        #[serde(default)]
        from: Option<String>,
        /// The channels, as in the query parameter of the same name.
        #[serde(default)]
        channels: Option<String>,
    },
    /// Stops following a stream.
    Unsubscribe {
        /// The stream, as `kind/id`.
        #[serde(default)]
        stream: Option<String>,
    },
    /// Posts a message to a thread.
    Message {
        /// The stream, as `chat/{id}`.
        #[serde(default)]
        stream: Option<String>,
        /// The text.
        text: String,
        /// The role; `user` if absent.
        #[serde(default)]
        role: Option<String>,
        /// The subject of the message, as in the HTTP body.
        #[serde(default)]
        scope: Option<Value>,
        /// The idempotency key.
        #[serde(default)]
        idempotency_key: Option<String>,
        /// The correlation id, as in the HTTP body.
        #[serde(default)]
        correlation_id: Option<Arc<str>>,
        /// The run of an agent, as in the HTTP body.
        #[serde(default)]
        run_id: Option<Arc<str>>,
        /// The step of that run, as in the HTTP body.
        #[serde(default)]
        step_id: Option<Arc<str>>,
    },
    /// Sends a gesture to the current subscribers.
    Gesture {
        /// The stream, as `canvas/{id}`.
        #[serde(default)]
        stream: Option<String>,
        /// The kind of gesture.
        kind: String,
        /// The data of the gesture, of any form.
        #[serde(default)]
        data: Value,
    },
    /// Announces presence data to the current subscribers.
    Presence {
        /// The stream, as `kind/id`.
        #[serde(default)]
        stream: Option<String>,
        /// The presence data, of any form.
        #[serde(default)]
        data: Value,
    },
    /// Requests a `pong`.
    Ping,
}

impl ClientMessage {
    /// Parses a message.
    ///
    /// # Errors
    /// `BODY_INVALID`, naming the field.
    pub fn parse(text: &[u8], limits: &Limits) -> Result<Self> {
        json::decode(text, limits, "ws.message")
    }

    /// The `ref` of a message that cannot be parsed, if it can be found.
    pub(crate) fn find_reference(text: &[u8]) -> Option<Value> {
        #[derive(Deserialize)]
        struct Referenced {
            #[serde(rename = "ref", default)]
            reference: Option<Value>,
        }
        serde_json::from_slice::<Referenced>(text).ok()?.reference
    }

    /// The tenant and environment that the message names.
    pub(crate) fn claims(&mut self) -> ScopeClaims {
        ScopeClaims {
            tenant_id: self.tenant_id.take(),
            camel_case_tenant_id: self.camel_case_tenant_id.take(),
            env: self.env.take(),
        }
    }
}

/// Why the server closes the socket. The numbers are private ones (RFC 6455 section 7.4.2: 4000–4999).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseCode {
    /// The server is shutting down: reconnect with the last cursor.
    GoingAway,
    /// The credential is missing, invalid or expired.
    CredentialInvalid,
    /// The caller lacks the permission.
    Forbidden,
    /// The stream does not exist.
    NotFound,
    /// The client was silent for too long.
    IdleTimeout,
    /// A frame was too large.
    TooLarge,
    /// Too many subscriptions or messages.
    LimitExceeded,
    /// A defect of the server.
    InternalError,
    /// The request was invalid.
    InvalidRequest,
    /// A backend does not answer: retry later.
    TryLater,
}

impl CloseCode {
    /// The close code on the wire.
    #[must_use]
    pub const fn number(self) -> u16 {
        match self {
            Self::GoingAway => 1001,
            Self::InternalError => 1011,
            Self::TryLater => 1013,
            Self::InvalidRequest => 4400,
            Self::CredentialInvalid => 4401,
            Self::Forbidden => 4403,
            Self::NotFound => 4404,
            Self::IdleTimeout => 4408,
            Self::TooLarge => 4413,
            Self::LimitExceeded => 4429,
        }
    }

    /// The code for an error that ends a socket.
    #[must_use]
    pub fn for_error(error: &Error) -> Self {
        match error.kind() {
            _ if error.code() == Code::ShuttingDown => Self::GoingAway,
            ErrorKind::Unauthenticated => Self::CredentialInvalid,
            ErrorKind::Forbidden => Self::Forbidden,
            ErrorKind::NotFound => Self::NotFound,
            ErrorKind::TooLarge => Self::TooLarge,
            ErrorKind::RateLimited => Self::LimitExceeded,
            ErrorKind::TimedOut => Self::IdleTimeout,
            ErrorKind::Unavailable => Self::TryLater,
            kind if kind.is_caller_error() => Self::InvalidRequest,
            _ => Self::InternalError,
        }
    }
}

/// Serialises a message of the server.
pub(crate) fn encode(message: &impl Serialize) -> Bytes {
    serde_json::to_vec(message).unwrap_or_else(|_| br#"{"type":"error","code":"INTERNAL"}"#.to_vec()).into()
}

/// The server's messages other than envelopes.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum ServerMessage<'a> {
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
        /// The same error where an envelope has its data, with the error's members.
        data: Value,
    },
    Pong {
        #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: &'a Option<Value>,
    },
}

pub(crate) fn encode_error(reference: &Option<Value>, error: &Error) -> Bytes {
    let mut data = error.members().clone();
    data.insert("code".into(), error.code().as_str().into());
    data.insert("detail".into(), error.detail().into());
    if let (ErrorKind::RateLimited, Some(wait)) = (error.kind(), error.retry_after()) {
        data.insert("retry_after_ms".into(), u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).into());
    }
    encode(&ServerMessage::Error { reference, code: error.code(), detail: error.detail(), data: Value::Object(data) })
}

/// The JSON text of a value that a client sent.
pub(crate) fn to_raw_json(value: &Value) -> Result<Box<RawValue>> {
    serde_json::value::to_raw_value(value).map_err(|error| Error::internal("ws.encode", error))
}
