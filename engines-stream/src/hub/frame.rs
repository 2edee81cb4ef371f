//! Frames: events that are encoded once and shared by all subscribers.

use bytes::Bytes;
use engines_core::{
    Code, Cursor, Envelope, Error, Result, Scope, StreamEvent, StreamKey,
    stream::{NewEvent, ReplayMiss, Seq},
};
use serde::Serialize;

use crate::sse_encoding::encode_event;

/// The content of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameKind {
    /// A durable event.
    Durable {
        /// The index of its stream in the subscription.
        stream: usize,
        /// The event's sequence number.
        seq: Seq,
    },
    /// An ephemeral event.
    Ephemeral,
    /// The events after the reader's cursor were removed; live events follow.
    ReplayMiss,
    /// The stream was deleted; no frame follows.
    Deleted,
}

/// One encoded event in SSE form, of which the JSON envelope is a slice. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Frame {
    kind: FrameKind,
    sse: Bytes,
    json_at: u32,
}

impl Frame {
    /// Encodes a durable event.
    ///
    /// # Errors
    /// When the event cannot be serialised, which its types rule out.
    pub(crate) fn durable(
        stream: usize,
        scope: &Scope,
        key: &StreamKey,
        event: &StreamEvent,
        cursor: &Cursor,
    ) -> Result<Self> {
        let id = cursor.to_string();
        let kind = FrameKind::Durable { stream, seq: event.seq };
        Self::encode(kind, Some(&id), &event.event.event_type, &Envelope::durable(scope, key, event, cursor))
    }

    /// Makes the frame of an ephemeral event from the relay: its type and its envelope.
    pub(crate) fn ephemeral(event_type: &str, envelope: &[u8]) -> Self {
        let (sse, json_at) = encode_event(None, event_type, envelope);
        Self { kind: FrameKind::Ephemeral, sse, json_at }
    }

    /// Makes the frame that reports removed events.
    ///
    /// # Errors
    /// As [`Frame::durable`].
    pub(crate) fn replay_miss(miss: &ReplayMiss) -> Result<Self> {
        Self::encode(FrameKind::ReplayMiss, None, "error", miss)
    }

    /// Makes the frame that reports the deletion of the stream: the last frame its readers get.
    ///
    /// # Errors
    /// As [`Frame::durable`].
    pub(crate) fn deleted(key: &StreamKey) -> Result<Self> {
        let data = serde_json::json!({ "code": Code::NotFound, "detail": "the stream was deleted", "final": true });
        let body = serde_json::json!({ "type": "error", "stream": key, "data": data });
        Self::encode(FrameKind::Deleted, None, "error", &body)
    }

    fn encode(kind: FrameKind, id: Option<&str>, event_type: &str, body: &impl Serialize) -> Result<Self> {
        let json = serde_json::to_vec(body).map_err(|error| Error::internal("stream.encode", error))?;
        let (sse, json_at) = encode_event(id, event_type, &json);
        Ok(Self { kind, sse, json_at })
    }

    /// The content of the frame.
    #[must_use]
    pub fn kind(&self) -> FrameKind {
        self.kind
    }

    /// The SSE form: `id`, `event`, `data` and the blank line.
    #[must_use]
    pub fn sse(&self) -> &Bytes {
        &self.sse
    }

    /// The JSON envelope.
    #[must_use]
    pub fn json(&self) -> Bytes {
        self.sse.slice(self.json_range())
    }

    /// The text of the JSON envelope.
    pub(crate) fn json_text(&self) -> &[u8] {
        self.sse.get(self.json_range()).unwrap_or_default()
    }

    fn json_range(&self) -> std::ops::Range<usize> {
        let end = self.sse.len().saturating_sub(2);
        (self.json_at as usize).min(end)..end
    }

    /// The bytes the frame holds in memory.
    #[must_use]
    pub(crate) fn size(&self) -> usize {
        self.sse.len() + std::mem::size_of::<Self>()
    }
}

/// The payload of an ephemeral event for the relay: its type, a line feed, its envelope.
pub(crate) fn relay_payload(scope: &Scope, key: &StreamKey, event: &NewEvent) -> Result<Bytes> {
    let mut payload = event.event_type.as_bytes().to_vec();
    payload.push(b'\n');
    serde_json::to_writer(&mut payload, &Envelope::ephemeral(scope, key, event))
        .map_err(|error| Error::internal("stream.encode", error))?;
    Ok(payload.into())
}

/// Parses a payload of the relay; `None` for payloads of another form.
pub(crate) fn from_relay(payload: &[u8]) -> Option<Frame> {
    let at = payload.iter().position(|byte| *byte == b'\n')?;
    let (event_type, envelope) = payload.split_at(at);
    Some(Frame::ephemeral(std::str::from_utf8(event_type).ok()?, envelope.get(1..)?))
}
