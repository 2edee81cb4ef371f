//! The WebSocket protocol (subprotocol `engines.v1`): its messages and sessions. No sockets.

mod message;
mod session;

pub use self::{
    message::{ClientMessage, CloseCode, SUBPROTOCOL},
    session::{SessionServices, SocketAction, SocketSession},
};
