//! The WebSocket rail (subprotocol `engines.v1`): its messages and what a session does with them. No sockets.

mod message;
mod session;

pub use self::{
    message::{ClientMessage, CloseCode, SUBPROTOCOL},
    session::{SessionServices, SocketAction, SocketSession},
};
