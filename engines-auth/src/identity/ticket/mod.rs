//! Tickets: a browser's `EventSource` and `WebSocket` cannot send `Authorization`, and a ticket lets them in without a
//! long-lived token in the URL.
//!
//! A ticket is valid for one path, in one tenant and environment, for one user. It is valid once, or (`reuse:
//! "stream"`) as long as its stream is open and for some time after, so that an `EventSource` can reconnect.

mod authenticator;
mod documents;
mod quota;
mod reuse;
mod service;
mod target;
mod wire;

pub use self::{
    service::{MAX_REUSE_TTL, MAX_TTL, Tickets},
    wire::{TicketRequest, TicketResponse, TicketReuse},
};
