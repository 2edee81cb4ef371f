//! The hub: who is told what was appended, in which order, on this node.
//!
//! A *feed* serves all subscribers of one set of streams. Its pump reads the log once, encodes each event once and
//! keeps the last ones in a ring; a subscriber is a place in that ring. Who falls out of the ring reads the log until it is back.

mod feed;
mod frame;
mod ring;
mod service;
mod subscription;
mod wakers;

pub use self::{
    frame::{Frame, FrameKind},
    service::{Hub, HubStats, SubscribeRequest},
    subscription::{StartPosition, Subscription},
};
