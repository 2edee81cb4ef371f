//! Who is told, and in what order: chats and canvases, the hub and its subscriptions, presence, and the codecs of both rails.

pub mod canvas;
pub mod chat;

mod deletion;
pub mod follow;
pub mod hub;
mod known;
mod live;
pub mod presence;
pub mod relay;
mod request;
mod retention;
pub mod sse;
pub mod ws;

pub use self::live::LiveSink;
