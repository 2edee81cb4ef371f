//! A sink that counts events and discards them.

mod sink;

pub use self::sink::NoopSink;
