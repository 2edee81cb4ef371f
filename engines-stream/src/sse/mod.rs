//! Server-sent events (WHATWG HTML, section 9.2): the text form, and a subscription as a stream of it. No sockets.

mod encode;
mod stream;

pub use self::{
    encode::{CONTENT_TYPE, KEEPALIVE, PREAMBLE, encode_error, encode_event},
    stream::EventStream,
};
