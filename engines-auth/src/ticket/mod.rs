//! One-use tickets: how a browser's `EventSource` and `WebSocket`, which send no `Authorization`, get in without a token in a URL that
//! lasts.

mod authenticator;
mod service;

pub use self::service::{MAX_TTL, TicketRequest, TicketResponse, Tickets};
