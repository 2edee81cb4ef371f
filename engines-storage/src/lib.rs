//! Storage backends, the event log and other services on stored data, event sinks, the outbox, backups, and the
//! conformance suite for backends.
//!
//! | module | contents |
//! | --- | --- |
//! | [`memory`] | an in-memory store for tests, examples and caches; its data ends with the process |
//! | `sqlite` | the embedded default: one durable file, no server (feature `sqlite`) |
//! | [`event_log`] | records dataset events, reads and exports them; privacy policies of tenants |
//! | [`audit_log`] | reads audit records |
//! | [`retention`] | retention policies, and the removal of data that is older than they allow |
//! | [`noop`] | a sink that counts events and discards them |
//! | [`outbox`] | delivers recorded events to sinks, at least once |
//! | `archive` | reads and writes the file format of a tenant archive (feature `archive`) |
//! | [`migration`] | copies all data from one store to another |
//! | [`backup`] | backups of a store in a folder or a bucket: create, verify, remove, restore |
//! | [`metered`] | a wrapper that counts the calls of a backend |
//! | `fault_injection` | a wrapper that makes calls of a backend fail, for tests (feature `testing`) |
//! | `conformance` | the test suite that every backend must pass (feature `conformance`) |
//!
//! A custom backend implements [`Store`](engines_core::Store) and
//! [`EventFeed`](engines_core::nexus::EventFeed); a custom destination implements
//! [`EventSink`](engines_core::nexus::EventSink). `docs/backends.md` explains both.

#[cfg(feature = "archive")]
pub mod archive;
pub mod audit_log;
pub mod backup;
#[cfg(feature = "conformance")]
pub mod conformance;
mod durable_fs;
pub mod event_log;
#[cfg(feature = "testing")]
pub mod fault_injection;
pub mod memory;
pub mod metered;
pub mod migration;
pub mod noop;
mod operation;
pub mod outbox;
pub mod retention;
#[cfg(feature = "sqlite")]
pub mod sqlite;

#[cfg(feature = "sqlite")]
pub use self::sqlite::{SqliteOptions, SqliteStore};
pub use self::{memory::MemoryStore, metered::Metered, noop::NoopSink, operation::Operation, outbox::Outbox};
