//! Browsers: origins, preflights, WebSockets from pages, tickets, and the headers of rate limits.
#![expect(clippy::unwrap_used, reason = "tests")]

mod cors;
mod rate_limits;
mod sockets;
#[path = "../support/mod.rs"]
mod support;
mod tickets;
