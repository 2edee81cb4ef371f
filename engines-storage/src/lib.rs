//! Where it stays: backends, sinks, the outbox, and the suite that proves them.
//!
//! | room | what it is |
//! | --- | --- |
//! | [`memory`] | a store in memory, for tests, examples and caches; nothing survives the process |

pub mod memory;

pub use self::memory::MemoryStore;
