//! Connections whose response is a stream.
//!
//! An idle stream should use little memory, and a busy one should send many events with one system call. On the
//! server's own listener, a connection whose response is a stream is therefore taken from hyper: its buffers are freed,
//! and its task is replaced by a small one. In another HTTP service the same streams are sent as bodies and upgrades.

mod credential_end;
mod events;
mod socket;

pub(crate) use self::{
    credential_end::CredentialEnd,
    events::{EventBody, EventSender},
    socket::{HandshakeRefusal, WebSocketSession, WebSocketTask, run_socket},
};
