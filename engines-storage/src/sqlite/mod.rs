//! The embedded default store: one durable SQLite file, without a server.
//!
//! One thread owns the write connection. It takes all waiting batches, runs them in one transaction and commits once,
//! so that a hundred concurrent batches cost one `fsync`. It then answers each batch. A small pool of threads reads.
//! Recent documents and stream heads are cached in memory; the cache always contains the last committed values.
//!
//! Other programs may read the file while the store is open, and may copy it with SQLite's own means (`VACUUM INTO`,
//! the backup API, `.backup`). The schema is in `schema.sql`; it has views with readable column names (`stream_log`,
//! `audit_log`, …). Other programs must not write: the cache does not see their writes.
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
mod audit_rows;
pub(crate) mod backup;
mod cache;
mod checkpoint;
mod checkpoint_pragma;
mod connections;
mod documents;
mod erasure;
mod error;
mod files;
mod health;
mod idempotency;
mod inspection;
mod integrity;
mod integrity_check;
mod job;
mod log_scan;
mod opening;
mod options;
mod page_gaps;
mod queries;
mod queue;
mod read_queue;
mod readers;
mod reclaim;
mod recovery;
mod removal;
mod schema;
mod scopes;
mod staged_name;
mod startup_checks;
mod state;
mod store;
mod store_archive;
mod stream_cleanup;
mod streams;
mod transaction;
mod worker_thread;
mod writer;

pub use self::{inspection::FileInspection, options::SqliteOptions, store::SqliteStore};
