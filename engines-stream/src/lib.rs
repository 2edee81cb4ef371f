//! Who is told, and in what order: chats and canvases, the hub and its subscriptions, presence, and the codecs of both rails.

pub mod canvas;
pub mod chat;

mod deletion;
mod ephemeral;
mod existence_cache;
pub mod follow;
pub mod hub;
pub mod presence;
pub mod relay;
mod request_fields;
mod retention;
pub mod sse;
pub mod ws;

pub use self::ephemeral::EphemeralSink;
