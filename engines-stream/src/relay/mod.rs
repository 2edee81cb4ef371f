//! Relays, which carry gestures, presence and wake-ups between subscribers.

mod local;

pub use self::local::LocalRelay;
