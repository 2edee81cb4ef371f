//! Tickets: how a browser's `EventSource` and `WebSocket`, which send no `Authorization`, get in without a token in a URL that lasts.
//!
//! A ticket is good for one path, in one tenant and environment, for one user: once, or (`reuse: "stream"`) for as long as its stream is
//! open and a while longer, so that an `EventSource` can connect again by itself.

mod authenticator;
mod documents;
mod quota;
mod reuse;
mod service;
mod target;
mod wire;

pub(crate) use self::documents::TicketInfo;
pub use self::{
    service::{MAX_REUSE_TTL, MAX_TTL, Tickets},
    wire::{TicketRequest, TicketResponse, TicketReuse},
};
