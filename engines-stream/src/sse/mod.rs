//! Server-sent events (WHATWG HTML, section 9.2): their text form, and a subscription as a stream of bytes. No sockets.

mod stream;

pub use self::stream::EventStream;
pub use crate::sse_encoding::{CONTENT_TYPE, KEEPALIVE, PREAMBLE, encode_error, encode_event};
