//! Where it stays: backends, sinks, the outbox, and the suite that proves them.
//!
//! | room | what it is |
//! | --- | --- |
//! | [`memory`] | a store in memory, for tests, examples and caches; nothing survives the process |
//! | `sqlite` | the embedded default: one durable file, no server (feature `sqlite`) |
//! | [`noop`] | a sink that takes everything and keeps nothing |
//! | [`outbox`] | brings recorded events to sinks, at least once |
//! | `archive` | the file of a tenant archive, written and read (feature `archive`) |
//! | [`migration`] | moves everything from one store to another |
//! | [`backup`] | copies of everything, in a folder or a bucket: made, verified, removed, restored |
//! | [`metered`] | a wrapper that counts what any backend does |
//! | `faulty` | a wrapper that makes any backend fail when told to (feature `testing`) |
//! | `conformance` | the suite that proves a backend, yours or ours (feature `conformance`) |
//!
//! A backend of one's own implements [`Store`](engines_core::Store) and [`EventFeed`](engines_core::nexus::EventFeed), a destination
//! [`EventSink`](engines_core::nexus::EventSink); `docs/backends.md` leads through both.

#[cfg(feature = "archive")]
pub mod archive;
pub mod backup;
#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(feature = "testing")]
pub mod fault_injection;
pub mod memory;
pub mod metered;
pub mod migration;
pub mod noop;
mod operation;
pub mod outbox;
#[cfg(feature = "sqlite")]
pub mod sqlite;

#[cfg(feature = "sqlite")]
pub use self::sqlite::{SqliteOptions, SqliteStore};
pub use self::{memory::MemoryStore, metered::Metered, noop::NoopSink, operation::Operation, outbox::Outbox};
