//! Who is told, and in what order: the hub and its subscriptions, presence, and the codecs of both rails.

pub mod follow;
pub mod hub;
mod live;
pub mod presence;
pub mod relay;
pub mod sse;

pub use self::live::LiveSink;
