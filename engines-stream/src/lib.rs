//! Chats and canvases, the hub that delivers their events to subscribers, presence, and the codecs for SSE and
//! WebSocket.

pub mod canvas;
pub mod chat;

mod deletion;
mod ephemeral;
mod existence_cache;
pub mod follow;
mod followed_event;
pub mod hub;
pub mod presence;
pub mod relay;
mod request_fields;
mod retention;
pub mod sse;
mod sse_encoding;
pub mod ws;

pub use self::{
    ephemeral::EphemeralSink,
    followed_event::{EventHeader, FollowedEvent},
};
