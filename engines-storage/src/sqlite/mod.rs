//! The embedded default: one SQLite file, durable, with no server beside it.
//!
//! One thread owns the write connection. It takes every batch that waits, runs them in one transaction and commits once, so
//! that a hundred batches in flight cost one `fsync`; then it answers each. A small pool of threads reads. What is asked for
//! most, recent documents and the heads of streams, is kept in memory and is always what was committed last.
//!
//! The file can be opened with other tools while it runs, and copied with SQLite's own means (`VACUUM INTO`, the backup API,
//! `.backup`): the schema is in `schema.sql`, with views that name things (`stream_log`, `audit_log`, …). Tools should read:
//! a write from outside is not seen by what is kept in memory.
//!
//! ```
//! # async fn example() -> engines_core::Result<()> {
//! use engines_storage::{SqliteOptions, SqliteStore};
//! # let folder = tempfile::tempdir().map_err(|error| engines_core::Error::unavailable("example", error))?;
//! let store = SqliteStore::open(folder.path().join("engines.db"), SqliteOptions::default())?;
//! store.close().await;
//! # Ok(())
//! # }
//! ```

mod archive;
pub(crate) mod backup;
mod cache;
mod checkpoint;
mod connections;
mod documents;
mod erasure;
mod error;
mod files;
mod health;
mod idempotency;
mod inspection;
mod integrity;
mod job;
mod log_scan;
mod opening;
mod options;
mod page_gaps;
mod queries;
mod queue;
mod readers;
mod recovery;
mod removal;
mod schema;
mod scopes;
mod startup_checks;
mod store;
mod streams;
mod transaction;
mod trim_gc;
mod writer;

pub use self::{inspection::FileInspection, options::SqliteOptions, store::SqliteStore};
