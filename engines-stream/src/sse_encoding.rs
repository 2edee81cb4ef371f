//! The text form of server-sent events.

use bytes::{Bytes, BytesMut};

/// The first bytes of every stream: the time after which a client reconnects.
pub const PREAMBLE: Bytes = Bytes::from_static(b"retry: 1500\n\n");

/// A comment that is sent when there is nothing else to send, so that proxies and clients see that the stream is alive.
pub const KEEPALIVE: Bytes = Bytes::from_static(b": keepalive\n\n");

/// The media type of a stream.
pub const CONTENT_TYPE: &str = "text/event-stream";

/// Encodes one event; returns it and the offset of its data. `json` must be on one line, as `serde_json` writes it.
///
/// ```
/// let (text, at) = engines_stream::sse::encode_event(Some("c1"), "user_message", br#"{"v":1}"#);
/// assert_eq!(&text[..], b"id: c1\nevent: user_message\ndata: {\"v\":1}\n\n");
/// assert_eq!(&text[at as usize..], b"{\"v\":1}\n\n");
/// ```
#[must_use]
pub fn encode_event(id: Option<&str>, event_type: &str, json: &[u8]) -> (Bytes, u32) {
    let mut text = BytesMut::with_capacity(id.map_or(0, |id| id.len() + 5) + event_type.len() + json.len() + 16);
    if let Some(id) = id {
        text.extend_from_slice(b"id: ");
        text.extend_from_slice(id.as_bytes());
        text.extend_from_slice(b"\n");
    }
    text.extend_from_slice(b"event: ");
    text.extend_from_slice(event_type.as_bytes());
    text.extend_from_slice(b"\ndata: ");
    let at = u32::try_from(text.len()).unwrap_or(u32::MAX);
    text.extend_from_slice(json);
    text.extend_from_slice(b"\n\n");
    (text.freeze(), at)
}

/// Encodes an `error` event: the last event of a stream that ends with an error.
#[must_use]
pub fn encode_error(code: engines_core::Code, detail: &str) -> Bytes {
    let body = serde_json::json!({"type": "error", "data": {"code": code, "detail": detail}});
    encode_event(None, "error", body.to_string().as_bytes()).0
}
