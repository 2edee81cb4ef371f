//! Where it stays: backends, sinks, the outbox, and the suite that proves them.
//!
//! | room | what it is |
//! | --- | --- |
//! | [`memory`] | a store in memory, for tests, examples and caches; nothing survives the process |
//! | `sqlite` | the embedded default: one durable file, no server (feature `sqlite`) |
//! | [`noop`] | a sink that takes everything and keeps nothing |
//! | `conformance` | the suite that proves a backend, yours or ours (feature `conformance`) |

#[cfg(feature = "conformance")]
pub mod conformance;
pub mod memory;
pub mod noop;
#[cfg(feature = "sqlite")]
pub mod sqlite;

#[cfg(feature = "sqlite")]
pub use self::sqlite::{SqliteOptions, SqliteStore};
pub use self::{memory::MemoryStore, noop::NoopSink};
