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
    /// How long to wait for a lock that another program holds on the data file.
    pub busy_timeout: Duration,
    /// Removed content is overwritten with zeros in the data file (`PRAGMA secure_delete`). Without it, removed content stays in free
    /// pages and in gaps of pages until something else is written there.
    pub secure_delete: bool,
    /// Rebuilds the data file (`VACUUM`) when it is opened, if it was made by a program that did not yet give freed space back. It takes as long as
    /// reading and writing the whole file twice, and as much free space on the disk as the file has.
    pub rebuild: bool,
    /// After an unclean end, files up to this many bytes are checked as a whole when they are opened. Larger ones are not,
    /// so that opening stays fast; the log's checksums are always verified.
    pub check_bytes: u64,
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
            busy_timeout: Duration::from_secs(5),
            secure_delete: true,
            rebuild: false,
            check_bytes: 64 << 20,
            changes: 1024,
            ids: None,
        }
    }
}
