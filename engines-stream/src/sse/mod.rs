//! Server-sent events (WHATWG HTML, section 9.2): their text form, and a subscription as a stream of bytes. No sockets.

mod encode;
mod stream;

pub use self::{
    encode::{CONTENT_TYPE, KEEPALIVE, PREAMBLE, encode_error, encode_event},
    stream::EventStream,
};
