//! What a stranger with a socket can do: every test speaks to a listening server from outside.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "../support/mod.rs"]
mod support;

mod budgets;
mod deadlines;
mod requests;
mod security_headers;
mod send_buffers;
mod unread_bodies;
