//! The hub: delivers appended events to the subscribers of this node, in order.
//!
//! A *feed* serves all subscribers of one set of streams. Its pump reads the log once, encodes each event once and
//! keeps the last ones in a ring; a subscriber is a position in that ring. A subscriber that falls out of the ring
//! reads the log until it has caught up.

mod feed;
mod feed_index;
mod frame;
mod ring;
mod service;
mod shared;
mod subscribe_request;
mod subscription;
mod wakers;

pub use self::{
    frame::{Frame, FrameKind},
    service::{Hub, HubStats},
    subscribe_request::{StartPosition, SubscribeRequest},
    subscription::Subscription,
};
