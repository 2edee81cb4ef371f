//! Connections that stay: what happens to a socket once its answer is a stream.
//!
//! An idle follower should cost little, and a busy one one system call for many events. So on our own listener a
//! connection whose answer is a stream is taken from hyper, with its buffers gone and its task replaced by a small one.
//! In somebody else's HTTP service the same streams go out as bodies and upgrades.

mod credential_end;
mod events;
mod socket;

pub(crate) use self::{
    credential_end::CredentialEnd,
    events::{EventBody, EventSender},
    socket::{HandshakeRefusal, WebSocketSession, WebSocketTask, run_socket},
};
