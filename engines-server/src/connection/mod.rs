//! One TCP connection, from its first byte to its last.

mod activity;
mod cut_off;
mod driver;
mod error;
mod http1;
mod http1_io;
mod http2;
mod own_answer;
mod refusal;
mod stream_executor;
mod watched_body;

pub(crate) use self::driver::{drive, metrics};
