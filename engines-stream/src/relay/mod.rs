//! Relays: what carries gestures, presence and wake-ups between those who are there.

mod local;

pub use self::local::LocalRelay;
