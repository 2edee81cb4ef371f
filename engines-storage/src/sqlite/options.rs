//! Settings of the SQLite backend: every limit has a name.

use std::time::Duration;

use engines_core::clock::IdGenerator;

/// Settings of a [`super::SqliteStore`]. The defaults suit a server of any size.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SqliteOptions {
    /// Threads that read, each with a connection of its own; at least 1.
    pub readers: usize,
    /// Reads that may wait for a reader; more wait for their turn outside.
    pub read_queue: usize,
    /// Batches that may wait for the writer; more are refused with `BACKEND_UNAVAILABLE`.
    pub write_queue: usize,
    /// Bytes of batches that may wait for the writer. A batch larger than this is taken when none waits.
    pub write_queue_bytes: usize,
    /// Batches in one transaction.
    pub group_batches: usize,
    /// Bytes of batches in one transaction; a larger batch has one to itself.
    pub group_bytes: usize,
    /// Bytes of recent documents kept in memory.
    pub document_cache_bytes: usize,
    /// Heads of streams kept in memory.
    pub head_cache: usize,
    /// Idempotency keys that are found through a list in memory, of about 100 bytes each, before they go into their index together. After an unclean end
    /// their records are read when the file is opened.
    pub recent_keys: usize,
    /// Bytes of the file that each connection keeps in memory.
    pub page_cache_bytes: usize,
    /// Pages in the write-ahead log after which they are moved to the data file.
    pub checkpoint_pages: usize,
    /// Bytes that the file of the write-ahead log keeps when the log begins anew; what is beyond them is given back to the disk.
    pub log_keep_bytes: u64,
    /// Bytes of the write-ahead log from which on a warning is logged, at most once a minute: a read transaction of another program
    /// keeps it from beginning anew.
    pub log_warn_bytes: u64,
    /// How long to wait for a lock that another program holds on the data file.
    pub busy_timeout: Duration,
    /// Removed content is overwritten with zeros in the data file (`PRAGMA secure_delete`). Without it, removed content stays in free
    /// pages and in gaps of pages until something else is written there.
    pub secure_delete: bool,
    /// Rebuilds the data file (`VACUUM`) when it is opened, if it was made by a program that did not yet give freed space back. It takes as long as
    /// reading and writing the whole file twice, and as much free space on the disk as the file has.
    pub rebuild: bool,
    /// After an unclean end, a data file up to this many bytes is checked as a whole before the store opens. A larger one is checked by
    /// a thread while the store is open: until that has ended [`engines_core::Store::health`] fails, and when it finds damage nothing is
    /// written any more.
    pub check_bytes: u64,
    /// Open although the write-ahead log is damaged in front of transactions that were acknowledged. They are lost; a copy of the log
    /// is kept beside it. Default: no, so that opening fails.
    pub accept_loss: bool,
    /// After a fault of the disk: the time from the first failed try to open the data file again to the next. It doubles with each
    /// try, up to [`SqliteOptions::recovery_wait_max`].
    pub recovery_wait: Duration,
    /// The longest time between two tries to open the data file again after a fault of the disk.
    pub recovery_wait_max: Duration,
    /// After a commit failed, [`engines_core::Store::health`] tries a small write of its own at most once in this time.
    pub probe_every: Duration,
    /// A commit that has not returned from the disk after this time makes [`engines_core::Store::health`] fail.
    pub stalled_after: Duration,
    /// How long [`super::SqliteStore::close`] waits for the disk before it gives up. What was acknowledged is durable all the same: the
    /// log is taken up at the next start.
    pub close_timeout: Duration,
    /// How long a snapshot of a scope is held, for an export or a migration. As long as it is, the write-ahead log of a busy file only grows.
    pub snapshot_time: Duration,
    /// Messages a slow listener to [`engines_core::nexus::Store::changes`] may fall behind before it gets
    /// [`engines_core::nexus::Change::Missed`].
    pub changes: usize,
    /// Where a new log's id comes from; the operating system's randomness if none.
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
