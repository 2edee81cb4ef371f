//! Streams: ordered, durable logs of events, and the envelope in which readers get them.

mod cursor;
mod envelope;
mod event;
mod key;
mod routing;

pub use self::{
    cursor::{Cursor, CursorTemplate, LogId, ResumePoint, StreamPosition},
    envelope::{Envelope, ReplayMiss},
    event::{CorrelationIds, EventMeta, EventPriority, EventType, NewEvent, Persistence, Seq, StreamEvent},
    key::{StreamKey, StreamKind},
    routing::Routing,
};
