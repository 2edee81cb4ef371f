//! Settings of the embedded store.

use std::time::Duration;

use engines::storage::SqliteOptions;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of the SQLite file: the TOML table `[sqlite]`. See [`SqliteOptions`] for what each of them limits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SqliteSettings {
    /// Reader threads, each with its own connection. Default: 4.
    pub readers: usize,
    /// Reads that may wait for a reader thread. Default: 1,024.
    pub read_queue: usize,
    /// Batches that may wait for the writer. Further batches are refused. Default: 65,536.
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
    /// Pages in the write-ahead log after which they are copied to the data file. Default: 4,096, which are 16 MiB.
    pub checkpoint_pages: usize,
    /// Milliseconds to wait for a lock that another program holds on the data file. Default: 5,000.
    pub busy_timeout_ms: u64,
    /// Whether deleted content is overwritten in the data file. Default: yes.
    pub secure_delete: bool,
    /// Whether the server rebuilds, when it starts, a data file of an older version that cannot release freed space.
    /// The rebuild needs as much free disk space as the file has. Default: no.
    pub rebuild: bool,
    /// The largest data file, in bytes, that is checked before the server starts after an unclean end. A larger one is
    /// checked while the server runs, and `/readyz` reports the check until it has ended. Default: 64 MiB.
    pub check_bytes: u64,
    /// Bytes of the write-ahead log's file that are kept when the log restarts. Default: 64 MiB.
    pub log_keep_bytes: u64,
    /// Size of the write-ahead log, in bytes, from which a warning is logged at most once a minute. Default: 256 MiB.
    pub log_warn_bytes: u64,
    /// Milliseconds between the first failed attempt to recover from a disk fault and the next. They double with each
    /// attempt. Default: 100.
    pub recovery_wait_ms: u64,
    /// Milliseconds between two such attempts at most. Default: 10,000.
    pub recovery_wait_max_ms: u64,
    /// Milliseconds between two probes: after a failed commit, `/readyz` tries a small write at most this often.
    /// Default: 1,000.
    pub probe_every_ms: u64,
    /// Milliseconds after which a commit that has not returned from the disk makes the server unready. Default: 10,000.
    pub stalled_after_ms: u64,
    /// Milliseconds that closing waits for a disk that does not answer. Default: 10,000.
    pub close_timeout_ms: u64,
    /// Milliseconds that an export may hold a snapshot of one environment. Meanwhile the write-ahead log only grows.
    /// Default: 600,000.
    pub snapshot_ms: u64,
    /// Start although the log is damaged before acknowledged transactions, and lose them: `--accept-loss`. It applies
    /// to one start, so no file and no variable sets it.
    #[serde(skip)]
    pub accept_loss: bool,
}

/// Converts a duration to milliseconds.
fn to_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
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
            busy_timeout_ms: to_ms(options.busy_timeout),
            secure_delete: options.secure_delete,
            rebuild: options.rebuild,
            check_bytes: options.check_bytes,
            log_keep_bytes: options.log_keep_bytes,
            log_warn_bytes: options.log_warn_bytes,
            recovery_wait_ms: to_ms(options.recovery_wait),
            recovery_wait_max_ms: to_ms(options.recovery_wait_max),
            probe_every_ms: to_ms(options.probe_every),
            stalled_after_ms: to_ms(options.stalled_after),
            close_timeout_ms: to_ms(options.close_timeout),
            snapshot_ms: to_ms(options.snapshot_time),
            accept_loss: options.accept_loss,
        }
    }
}

impl SqliteSettings {
    /// Returns the options of the store.
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
        options.secure_delete = self.secure_delete;
        options.rebuild = self.rebuild;
        options.check_bytes = self.check_bytes;
        options.log_keep_bytes = self.log_keep_bytes;
        options.log_warn_bytes = self.log_warn_bytes;
        options.recovery_wait = Duration::from_millis(self.recovery_wait_ms);
        options.recovery_wait_max = Duration::from_millis(self.recovery_wait_max_ms);
        options.probe_every = Duration::from_millis(self.probe_every_ms);
        options.stalled_after = Duration::from_millis(self.stalled_after_ms);
        options.close_timeout = Duration::from_millis(self.close_timeout_ms);
        options.snapshot_time = Duration::from_millis(self.snapshot_ms);
        options.accept_loss = self.accept_loss;
        options
    }
}
