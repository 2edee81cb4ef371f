//! The server against clients without a credential: every test connects to a listening server.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "../support/mod.rs"]
mod support;

mod budgets;
mod deadlines;
mod requests;
mod security_headers;
mod send_buffers;
mod unread_bodies;
