//! Streams: ordered, durable logs, and the envelope every reader sees.

mod cursor;
mod envelope;
mod event;
mod key;
mod routing;

pub use self::{
    cursor::{Cursor, CursorTemplate, LogId, Position, Resume},
    envelope::{Envelope, ReplayMiss},
    event::{EventType, Ids, Meta, NewEvent, Persist, Priority, Seq, StreamEvent},
    key::{StreamKey, StreamKind},
    routing::Routing,
};
