//! What goes over the socket besides envelopes.

use std::sync::Arc;

use bytes::Bytes;
use engines_core::{Code, Error, ErrorKind, Limits, Result, context::ScopeClaims, json, stream::Routing};
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

use crate::request_fields::null_as_default;

/// The subprotocol both sides name.
pub const SUBPROTOCOL: &str = "engines.v1";

/// A client's message. Each may carry a `ref`, which is echoed in its `ack` or `error`.
#[derive(Debug, Deserialize)]
pub struct ClientMessage {
    /// Echoed.
    #[serde(rename = "ref", default)]
    pub reference: Option<Value>,
    /// Must agree with what the socket was admitted to.
    #[serde(default)]
    pub tenant_id: Option<String>,
    /// Must agree with what the socket was admitted to; the name that older producers use.
    #[serde(rename = "tenantId", default)]
    pub camel_case_tenant_id: Option<String>,
    /// Must agree with what the socket was admitted to.
    #[serde(default)]
    pub env: Option<String>,
    /// Routing keys. Those that name the tenant, the environment, the user or the stream must agree with what is known of them.
    #[serde(default, deserialize_with = "null_as_default")]
    pub routing: Routing,
    /// What it asks for.
    #[serde(flatten)]
    pub request: ClientRequest,
}

/// What a client asks for. `stream` may be left out on a socket that is about one stream.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientRequest {
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
        /// As in the HTTP body.
        #[serde(default)]
        correlation_id: Option<Arc<str>>,
        /// As in the HTTP body.
        #[serde(default)]
        run_id: Option<Arc<str>>,
        /// As in the HTTP body.
        #[serde(default)]
        step_id: Option<Arc<str>>,
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

    /// The `ref` of a message that could not be read otherwise, as far as it can be found.
    pub(crate) fn find_reference(text: &[u8]) -> Option<Value> {
        #[derive(Deserialize)]
        struct Referenced {
            #[serde(rename = "ref", default)]
            reference: Option<Value>,
        }
        serde_json::from_slice::<Referenced>(text).ok()?.reference
    }

    /// What it says of tenant and environment.
    pub(crate) fn claims(&mut self) -> ScopeClaims {
        ScopeClaims {
            tenant_id: self.tenant_id.take(),
            camel_case_tenant_id: self.camel_case_tenant_id.take(),
            env: self.env.take(),
        }
    }
}

/// Why the server closes the socket (RFC 6455 section 7.4.2: 4000–4999 are ours).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseCode {
    /// The server is going away: come back with the last cursor.
    GoingAway,
    /// The credential is missing, wrong or over.
    CredentialInvalid,
    /// The caller may not.
    Forbidden,
    /// No such stream.
    NotFound,
    /// Silent for too long.
    IdleTimeout,
    /// A frame was too large.
    TooLarge,
    /// Too many subscriptions or messages.
    LimitExceeded,
    /// A failure on our side.
    InternalError,
    /// The request was wrong.
    InvalidRequest,
    /// A part that is needed does not answer: come back later.
    TryLater,
}

impl CloseCode {
    /// The number on the wire.
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
            kind if (400..500).contains(&kind.status()) => Self::InvalidRequest,
            _ => Self::InternalError,
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
        /// The same in the place where an envelope's errors have it, with the error's members.
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

/// JSON text of a value a client sent.
pub(crate) fn to_raw_json(value: &Value) -> Result<Box<RawValue>> {
    serde_json::value::to_raw_value(value).map_err(|error| Error::internal("ws.encode", error))
}
