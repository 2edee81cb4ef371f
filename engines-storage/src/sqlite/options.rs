//! [`SqliteOptions`].

use std::time::Duration;

use engines_core::clock::IdGenerator;

/// Options of a [`super::SqliteStore`]. The defaults suit a server of any size.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SqliteOptions {
    /// Number of reader threads, each with its own connection; at least 1.
    pub readers: usize,
    /// Maximum number of reads in the readers' queue. Further reads wait until there is room in it.
    pub read_queue: usize,
    /// Maximum number of batches waiting for the writer. Further batches are rejected with `BACKEND_UNAVAILABLE`.
    pub write_queue: usize,
    /// Maximum bytes of batches waiting for the writer. A larger batch is accepted when no other is waiting.
    pub write_queue_bytes: usize,
    /// Maximum number of batches in one transaction.
    pub group_batches: usize,
    /// Maximum bytes of batches in one transaction. A larger batch gets its own transaction.
    pub group_bytes: usize,
    /// Maximum bytes of documents in the cache.
    pub document_cache_bytes: usize,
    /// Maximum number of stream heads in the cache.
    pub head_cache: usize,
    /// Number of idempotency keys that are kept in a list in memory, of about 100 bytes each, before they are merged
    /// into the index together. After an unclean end their records are read when the file is opened.
    pub recent_keys: usize,
    /// Bytes of the file that each connection caches in memory.
    pub page_cache_bytes: usize,
    /// Number of pages in the write-ahead log at which a checkpoint moves them to the data file.
    pub checkpoint_pages: usize,
    /// Bytes to which the file of the write-ahead log is truncated when the log restarts.
    pub log_keep_bytes: u64,
    /// Size of the write-ahead log in bytes at which a warning is logged, at most once a minute. A read transaction
    /// of another program can keep the log from restarting.
    pub log_warn_bytes: u64,
    /// Time to wait for a lock that another program holds on the data file.
    pub busy_timeout: Duration,
    /// Overwrites removed content in the data file with zeros (`PRAGMA secure_delete`). Without it, removed content
    /// stays in free pages and in unallocated parts of pages until they are used again.
    pub secure_delete: bool,
    /// Rebuilds the data file (`VACUUM`) when it is opened, if an older version created it in a form that cannot
    /// release free space. This takes as long as reading and writing the whole file twice, and needs as much free
    /// disk space as the file has.
    pub rebuild: bool,
    /// After an unclean end, a data file of up to this many bytes is checked completely before the store opens. A
    /// thread checks a larger file while the store is open: until the check ends, [`engines_core::Store::health`]
    /// fails. When the check finds damage, the store rejects all further writes.
    pub check_bytes: u64,
    /// Opens the store although the write-ahead log is damaged before acknowledged transactions. These transactions
    /// are lost; a copy of the log is kept beside it. Default: `false`, so that opening fails.
    pub accept_loss: bool,
    /// After a disk fault, the delay between the first and the second attempt to open the data file again. It doubles
    /// with each attempt, up to [`SqliteOptions::recovery_wait_max`].
    pub recovery_wait: Duration,
    /// Maximum delay between two attempts to open the data file after a disk fault.
    pub recovery_wait_max: Duration,
    /// Minimum interval between the test writes that [`engines_core::Store::health`] makes after a failed commit.
    pub probe_every: Duration,
    /// Time after which a commit in progress makes [`engines_core::Store::health`] fail.
    pub stalled_after: Duration,
    /// Maximum time that [`super::SqliteStore::close`] waits for the disk. Acknowledged batches are durable even
    /// after a timeout: the next start recovers the log.
    pub close_timeout: Duration,
    /// Maximum time that a snapshot of a scope is held, for an export or a migration. Meanwhile the write-ahead log
    /// of a busy file grows.
    pub snapshot_time: Duration,
    /// Number of change notifications queued for one reader of [`engines_core::Store::changes`]. A reader that falls
    /// further behind receives [`engines_core::nexus::StoreChange::Lagged`].
    pub changes: usize,
    /// Generates the id of a new log. Default: `None`, which uses the operating system's random numbers.
    pub ids: Option<IdGenerator>,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            readers: 4,
            read_queue: 1024,
            write_queue: 65_536,
            write_queue_bytes: 256 << 20,
            group_batches: 4096,
            group_bytes: 8 << 20,
            document_cache_bytes: 64 << 20,
            head_cache: 65_536,
            recent_keys: 65_536,
            page_cache_bytes: 16 << 20,
            checkpoint_pages: 4096,
            log_keep_bytes: 64 << 20,
            log_warn_bytes: 256 << 20,
            busy_timeout: Duration::from_secs(5),
            secure_delete: true,
            rebuild: false,
            check_bytes: 64 << 20,
            accept_loss: false,
            recovery_wait: Duration::from_millis(100),
            recovery_wait_max: Duration::from_secs(10),
            probe_every: Duration::from_secs(1),
            stalled_after: Duration::from_secs(10),
            close_timeout: Duration::from_secs(10),
            snapshot_time: Duration::from_secs(600),
            changes: 1024,
            ids: None,
        }
    }
}
