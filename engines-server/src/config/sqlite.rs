//! Settings of the embedded store.

use std::time::Duration;

use engines::storage::SqliteOptions;
use serde::{Deserialize, Serialize};

/// Settings of the SQLite file: the TOML table `[sqlite]`. See [`SqliteOptions`] for what each of them limits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SqliteSettings {
    /// Threads that read, each with a connection of its own. Default: 4.
    pub readers: usize,
    /// Reads that may wait for a reader thread. Default: 1,024.
    pub read_queue: usize,
    /// Batches that may wait for the writer; more are refused. Default: 65,536.
    pub write_queue: usize,
    /// Bytes of batches that may wait for the writer. Default: 256 MiB.
    pub write_queue_bytes: usize,
    /// Batches in one transaction. Default: 4,096.
    pub group_batches: usize,
    /// Bytes of batches in one transaction. Default: 8 MiB.
    pub group_bytes: usize,
    /// Bytes of recent documents kept in memory. Default: 64 MiB.
    pub document_cache_bytes: usize,
    /// Heads of streams kept in memory. Default: 65,536.
    pub head_cache: usize,
    /// Bytes of the file that each connection keeps in memory. Default: 16 MiB.
    pub page_cache_bytes: usize,
    /// Pages in the write-ahead log after which they are moved to the data file. Default: 4,096, which are 16 MiB.
    pub checkpoint_pages: usize,
    /// Milliseconds to wait for a lock that another program holds on the data file. Default: 5,000.
    pub busy_timeout_ms: u64,
    /// After an unclean end, a data file of up to this many bytes is checked before the server is ready. Default: 64 MiB.
    pub check_bytes: u64,
}

impl Default for SqliteSettings {
    fn default() -> Self {
        let options = SqliteOptions::default();
        Self {
            readers: options.readers,
            read_queue: options.read_queue,
            write_queue: options.write_queue,
            write_queue_bytes: options.write_queue_bytes,
            group_batches: options.group_batches,
            group_bytes: options.group_bytes,
            document_cache_bytes: options.document_cache_bytes,
            head_cache: options.head_cache,
            page_cache_bytes: options.page_cache_bytes,
            checkpoint_pages: options.checkpoint_pages,
            busy_timeout_ms: u64::try_from(options.busy_timeout.as_millis()).unwrap_or(u64::MAX),
            check_bytes: options.check_bytes,
        }
    }
}

impl SqliteSettings {
    /// The settings as the store takes them.
    #[must_use]
    pub fn options(&self) -> SqliteOptions {
        let mut options = SqliteOptions::default();
        options.readers = self.readers;
        options.read_queue = self.read_queue;
        options.write_queue = self.write_queue;
        options.write_queue_bytes = self.write_queue_bytes;
        options.group_batches = self.group_batches;
        options.group_bytes = self.group_bytes;
        options.document_cache_bytes = self.document_cache_bytes;
        options.head_cache = self.head_cache;
        options.page_cache_bytes = self.page_cache_bytes;
        options.checkpoint_pages = self.checkpoint_pages;
        options.busy_timeout = Duration::from_millis(self.busy_timeout_ms);
        options.check_bytes = self.check_bytes;
        options
    }
}
