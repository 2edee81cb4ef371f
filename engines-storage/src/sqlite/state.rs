//! The state that the threads of a store share.

use std::{
    fs::{File, OpenOptions},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use engines_core::{Result, Scope, nexus::StoreChange, stream::LogId};
use tokio::sync::broadcast;

use super::{
    cache::{DocumentWeight, ShardedCache, UnitWeight},
    connections::ConnectionRegistry,
    documents::{self, CachedDocument},
    erasure::ErasureState,
    error::SqliteFailure,
    files::WatchedFiles,
    health::WriteHealth,
    idempotency::PendingIndex,
    integrity::IntegrityState,
    options::SqliteOptions,
    queue::WriteQueue,
    read_queue::ReadQueue,
    streams::{self, StreamRow},
};

/// The state that the writer, the readers and the other threads share.
#[derive(Debug)]
pub(super) struct StoreState {
    pub(super) system: Scope,
    pub(super) queue: WriteQueue,
    pub(super) heads: ShardedCache<streams::StreamName, StreamRow, UnitWeight>,
    pub(super) documents: ShardedCache<documents::DocumentName, Option<CachedDocument>, DocumentWeight>,
    pub(super) idempotency: PendingIndex,
    pub(super) erasure: ErasureState,
    pub(super) reads: ReadQueue,
    pub(super) connections: Arc<ConnectionRegistry>,
    pub(super) files: WatchedFiles,
    pub(super) health: WriteHealth,
    pub(super) integrity: IntegrityState,
    /// The data file, opened when [`super::page_gaps`] first needs it; open until the last connection is closed.
    data_file: OnceLock<File>,
    /// Whether `data_file` is set; locked while it is opened.
    data_file_opened: Mutex<bool>,
    /// Locked from a commit until its values are in memory: see [`StoreState::wait_published`].
    pub(super) publishing: Mutex<()>,
    changes: Mutex<Option<broadcast::Sender<StoreChange>>>,
    /// The log id.
    log_id: Mutex<LogId>,
}

impl StoreState {
    /// Waits until everything that was in the file at the time of the call is in memory too. A reader calls it before
    /// it answers, so that no caller that has learned of a value can then read the previous one.
    pub(super) fn wait_published(&self) {
        drop(self.publishing.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Makes the state of a file that this process writes.
    ///
    /// # Errors
    /// The name of the control plane's scope is malformed, which its definition rules out.
    pub(super) fn new(files: WatchedFiles, log: LogId, options: &SqliteOptions) -> Result<Self> {
        let (changes, _) = broadcast::channel(options.changes.clamp(1, 1 << 20));
        let queue = WriteQueue::new(options.write_queue, options.write_queue_bytes);
        let heads = ShardedCache::new(options.head_cache, options.head_cache, UnitWeight);
        let (documents, bytes) = (options.document_cache_bytes / 1024, options.document_cache_bytes);
        Self::with_caches(files, log, queue, heads, ShardedCache::new(documents, bytes, DocumentWeight), Some(changes))
    }

    /// Makes the state of a file that another process may write. Nothing is cached, and writes are rejected.
    ///
    /// # Errors
    /// As [`StoreState::new`].
    pub(super) fn read_only(files: WatchedFiles, log: LogId) -> Result<Self> {
        let queue = WriteQueue::new(1, 1);
        queue.close();
        let heads = ShardedCache::new(0, 0, UnitWeight);
        Self::with_caches(files, log, queue, heads, ShardedCache::new(0, 0, DocumentWeight), None)
    }

    fn with_caches(
        files: WatchedFiles,
        log: LogId,
        queue: WriteQueue,
        heads: ShardedCache<streams::StreamName, StreamRow, UnitWeight>,
        documents: ShardedCache<documents::DocumentName, Option<CachedDocument>, DocumentWeight>,
        changes: Option<broadcast::Sender<StoreChange>>,
    ) -> Result<Self> {
        Ok(Self {
            system: Scope::system()?,
            queue,
            heads,
            documents,
            idempotency: PendingIndex::default(),
            erasure: ErasureState::default(),
            reads: ReadQueue::default(),
            connections: Arc::default(),
            files,
            health: WriteHealth::default(),
            integrity: IntegrityState::default(),
            data_file: OnceLock::new(),
            data_file_opened: Mutex::new(false),
            publishing: Mutex::new(()),
            changes: Mutex::new(changes),
            log_id: Mutex::new(log),
        })
    }

    /// Returns the log id.
    pub(super) fn log_id(&self) -> LogId {
        *self.log_id.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces the log id.
    pub(super) fn set_log_id(&self, log: LogId) {
        *self.log_id.lock().unwrap_or_else(PoisonError::into_inner) = log;
    }

    /// Returns the data file, for reading, writing and syncing without SQLite. It is opened once and stays open until
    /// the store is closed: closing any descriptor of the file would release SQLite's locks on it.
    ///
    /// # Errors
    /// The file cannot be opened, or the path names another file.
    pub(super) fn data_file(&self) -> Result<&File, SqliteFailure> {
        let mut opened = self.data_file_opened.lock().unwrap_or_else(PoisonError::into_inner);
        if !*opened {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .open(self.files.path())
                .map_err(|error| SqliteFailure::io(&error))?;
            // On an error `file` is another file, without locks of SQLite, so closing it is harmless.
            self.files.check_opened(&file)?;
            *opened = self.data_file.set(file).is_ok();
        }
        self.data_file.get().ok_or_else(|| SqliteFailure::io(&std::io::Error::other("the data file is not open")))
    }

    /// Returns a receiver of change notifications; `None` when there will be none.
    pub(super) fn subscribe(&self) -> Option<broadcast::Receiver<StoreChange>> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(broadcast::Sender::subscribe)
    }

    /// Ends all streams of change notifications.
    pub(super) fn close_changes(&self) {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Sends a change notification.
    pub(super) fn notify(&self, change: StoreChange) {
        if let Some(changes) = &*self.changes.lock().unwrap_or_else(PoisonError::into_inner) {
            // An error means that there are no readers.
            let _ = changes.send(change);
        }
    }
}
