//! What a browser needs, and what it must not get: origins, preflights, WebSockets from pages, tickets, and rate limits on the wire.
#![expect(clippy::unwrap_used, reason = "tests")]

mod cors;
mod rate_limits;
mod sockets;
#[path = "../support/mod.rs"]
mod support;
mod tickets;
