//! The body of a response, and the announced length of a request's body.

use std::{
    fmt,
    pin::Pin,
    sync::Weak,
    task::{Context, Poll},
};

use bytes::Bytes;
use engines::{Error, Result};
use futures_util::Stream;
use http::{HeaderMap, header};
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use crate::streaming::{CredentialEnd, EventBody, WebSocketTask};

/// The body of a response.
#[derive(Default)]
pub struct Body(BodyContent);

#[derive(Default)]
enum BodyContent {
    #[default]
    Empty,
    Full(Bytes),
    Chunks(Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>),
    Events(Box<EventBody>),
    Socket(Box<WebSocketTask>),
}

/// The stream that takes over a connection after its response.
pub(crate) enum StreamingBody {
    /// A stream of server-sent events.
    Events(Box<EventBody>),
    /// A WebSocket session.
    Socket(Box<WebSocketTask>),
}

impl Body {
    /// Creates an empty body.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// Creates a body from a stream of chunks. After an error no chunk follows, and the connection is cut off, so that
    /// a client does not take a part for the whole.
    pub(crate) fn from_stream(pieces: impl Stream<Item = Result<Bytes>> + Send + 'static) -> Self {
        Self(BodyContent::Chunks(Box::pin(pieces)))
    }

    /// Creates a body of server-sent events.
    pub(crate) fn from_events(events: EventBody) -> Self {
        Self(BodyContent::Events(Box::new(events)))
    }

    /// Creates an empty body with the task that takes over the connection after the upgrade.
    pub(crate) fn from_socket(socket: WebSocketTask) -> Self {
        Self(BodyContent::Socket(Box::new(socket)))
    }

    /// Returns the end of the credential that the response depends on while it is sent. The reference is dead if the
    /// response depends on no credential.
    pub(crate) fn share_credential_end(&mut self) -> Weak<CredentialEnd> {
        match &mut self.0 {
            BodyContent::Events(events) => events.share_credential_end(),
            BodyContent::Empty | BodyContent::Full(_) | BodyContent::Chunks(_) | BodyContent::Socket(_) => Weak::new(),
        }
    }

    /// Takes out a body that needs a connection of its own. Other bodies stay.
    pub(crate) fn take_streaming(&mut self) -> Option<StreamingBody> {
        match std::mem::take(&mut self.0) {
            BodyContent::Events(events) => Some(StreamingBody::Events(events)),
            BodyContent::Socket(socket) => Some(StreamingBody::Socket(socket)),
            other => {
                self.0 = other;
                None
            }
        }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self(BodyContent::Full(bytes))
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        match &mut self.0 {
            BodyContent::Empty | BodyContent::Socket(_) => Poll::Ready(None),
            BodyContent::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                self.0 = BodyContent::Empty;
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
            }
            BodyContent::Chunks(pieces) => pieces.as_mut().poll_next(cx).map(|piece| Some(piece?.map(Frame::data))),
            BodyContent::Events(events) => Pin::new(&mut **events)
                .poll_frame(cx)
                .map(|frame| frame.map(|frame| frame.map_err(|never| match never {}))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            BodyContent::Empty | BodyContent::Socket(_) => true,
            BodyContent::Full(bytes) => bytes.is_empty(),
            BodyContent::Chunks(_) => false,
            BodyContent::Events(events) => events.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            BodyContent::Empty | BodyContent::Socket(_) => SizeHint::with_exact(0),
            BodyContent::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            BodyContent::Chunks(_) | BodyContent::Events(_) => SizeHint::default(),
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            BodyContent::Empty => "Body(empty)",
            BodyContent::Full(_) => "Body(full)",
            BodyContent::Chunks(_) => "Body(chunks)",
            BodyContent::Events(_) => "Body(events)",
            BodyContent::Socket(_) => "Body(socket)",
        })
    }
}

/// Returns the number of bytes that a body has at least, by its own statement.
pub(crate) fn announced_length(headers: &HeaderMap, body: &impl HttpBody) -> u64 {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    body.size_hint().lower().max(length.unwrap_or(0))
}
