//! [`SqliteStore`].

use std::{
    fs::File,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use engines_core::{
    Code, DocId, Error, Result, Scope,
    audit::{AuditEntry, AuditFilter},
    event::{EventFilter, StoredEvent},
    nexus::{
        BackupSource, Batch, Capabilities, CommitError, CommitReceipt, Document, DocumentKind, DocumentQuery,
        EventFeed, FeedItem, Idempotency, Page, PageRequest, Removal, RemovalProgress, StorageUsage, Store,
        StoreChange, StoreChanges, StreamHead, archive::Archive,
    },
    stream::{LogId, Seq, StreamEvent, StreamKey},
};
use tokio::{
    sync::{broadcast, oneshot},
    time::Instant,
};

use super::{
    backup::BackupCopier,
    checkpoint::Checkpointer,
    documents::{self, CachedDocument},
    error::{SqliteFailure, closed_error, open_error},
    health::HealthVerdict,
    idempotency::{self, HashedKey},
    integrity_check::start_check,
    job::{ArchiveWrite, BatchJob, PreparedWrite, RemovalWrite},
    opening::{self, OpenedFile, ReadOnlyFile},
    options::SqliteOptions,
    queries,
    queue::PushError,
    readers::ReaderPool,
    schema,
    state::StoreState,
    streams::{self, ReadRange, StreamRow},
    worker_thread::WorkerThread,
    writer::WriterThread,
};

const COMMIT_OPERATION: &str = "sqlite.commit";

/// Interval at which the end of the threads is polled when a store is dropped without being closed.
const JOIN_POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Maximum bytes of events that one [`Store::read`] returns; it returns at least one event.
const MAX_READ_BYTES: usize = 4 << 20;

/// A store in one SQLite file. See the [module](super).
#[derive(Debug)]
pub struct SqliteStore {
    shared: Arc<StoreState>,
    readers: ReaderPool,
    /// `None` for a store opened with [`SqliteStore::open_beside`]: the process that has the file open backs it up.
    copier: Option<BackupCopier>,
    capabilities: Capabilities,
    probe_every: Duration,
    stalled_after: Duration,
    options: SqliteOptions,
    running: tokio::sync::Mutex<RunningThreads>,
}

/// The threads and the lock, which exist until the store is closed.
#[derive(Debug)]
struct RunningThreads {
    workers: Vec<WorkerThread>,
    /// The threads that write hold the lock too, so that it is released when the last of them has ended.
    lock: Option<Arc<File>>,
    /// How long to wait for the threads.
    patience: Duration,
    /// Whether [`SqliteStore::close`] has waited, or is waiting, for the threads.
    closing: bool,
}

impl SqliteStore {
    /// Opens or creates the file at `path`; its folder must exist. Beside it lie `-wal` and `-shm` while it is open,
    /// and always `.lock` and `.created`, which states that it was created. Only the owner can read the files.
    ///
    /// Blocks for some milliseconds, or longer when an unclean end has left a long log.
    ///
    /// # Errors
    /// `BACKEND_UNAVAILABLE`, stating what to do, when another process has the file open; when it is not a database, is
    /// damaged, of another program or of a newer version; when it is missing although it was created before; when its
    /// log is damaged before acknowledged transactions (see [`SqliteOptions::accept_loss`]); on I/O errors.
    pub fn open(path: impl AsRef<Path>, options: SqliteOptions) -> Result<Self> {
        let path = path.as_ref();
        let OpenedFile { writer, log, lock, files, needs_check: unchecked } = opening::open(path, &options)?;
        let shared = Arc::new(StoreState::new(files, log, &options)?);
        shared.idempotency.load(&writer).map_err(|failure| schema::opening_error(failure, path))?;
        shared.erasure.load(&writer).map_err(|failure| schema::opening_error(failure, path))?;
        let writer = shared.connections.open(|| Ok(writer)).map_err(|failure| schema::opening_error(failure, path))?;
        let failed = |error: std::io::Error| open_error(format!("a thread could not be started: {error}"));
        let (readers, mut workers) = ReaderPool::start(&options, &shared).map_err(failed)?;
        let (checkpoints, checkpointer) = Checkpointer::start(&options, &shared).map_err(failed)?;
        workers.insert(0, checkpointer);
        let copying = Some(BackupCopier::new(&shared, &options, checkpoints.log()));
        if unchecked {
            workers.insert(0, start_check(&options, &shared).map_err(failed)?);
        }
        let (lock, patience) = (Arc::new(lock), options.close_timeout);
        let (probe_every, stalled_after) = (options.probe_every, options.stalled_after);
        let writer = WriterThread::new(writer, options.clone(), Arc::clone(&shared), checkpoints, Arc::clone(&lock));
        let writer = WorkerThread::spawn("sqlite-writer", move |ended| writer.run(ended)).map_err(failed)?;
        // The writer is waited for first, because threads are joined from the end of the list.
        workers.push(writer);
        let capabilities = Capabilities {
            name: "sqlite",
            durable: true,
            pipelined: true,
            removes: true,
            backup: true,
            ..Capabilities::default()
        };
        let running = RunningThreads { workers, lock: Some(lock), patience, closing: false };
        let running = tokio::sync::Mutex::new(running);
        Ok(Self { shared, readers, copier: copying, capabilities, probe_every, stalled_after, options, running })
    }

    /// Opens a file for reading only, also while another process has it open. Nothing is cached; writes are rejected.
    ///
    /// # Errors
    /// `BACKEND_UNAVAILABLE` when the file is not a data file of the current schema, or cannot be read.
    pub fn open_beside(path: impl AsRef<Path>, options: SqliteOptions) -> Result<Self> {
        let path = path.as_ref();
        let ReadOnlyFile { log, files } = opening::open_beside(path, &options)?;
        let shared = Arc::new(StoreState::read_only(files, log)?);
        let failed = |error: std::io::Error| open_error(format!("a thread could not be started: {error}"));
        let (readers, workers) = ReaderPool::start(&options, &shared).map_err(failed)?;
        let capabilities =
            Capabilities { name: "sqlite", durable: true, pipelined: true, removes: true, ..Capabilities::default() };
        let (probe_every, stalled_after) = (options.probe_every, options.stalled_after);
        let running = RunningThreads { workers, lock: None, patience: options.close_timeout, closing: false };
        let running = tokio::sync::Mutex::new(running);
        Ok(Self { shared, readers, copier: None, capabilities, probe_every, stalled_after, options, running })
    }

    /// Returns whether another process has the file at `path` open for writing. The answer may change at any moment.
    ///
    /// # Errors
    /// `BACKEND_UNAVAILABLE` when the lock file cannot be read.
    pub fn is_in_use(path: impl AsRef<Path>) -> Result<bool> {
        opening::is_in_use(path.as_ref())
    }

    /// Writes all waiting batches, moves the log to the data file, and closes the files. Later calls are rejected.
    ///
    /// Waits up to [`SqliteOptions::close_timeout`]. When the disk does not answer in that time, logs an error and
    /// returns: threads and lock then stay until the process ends, and the next start recovers the log.
    pub async fn close(&self) {
        self.stop();
        let mut running = self.running.lock().await;
        running.closing = true;
        let deadline = Instant::now() + running.patience;
        while let Some(worker) = running.workers.last_mut() {
            // An error means that the thread panicked: it has ended as well.
            if tokio::time::timeout_at(deadline, &mut worker.done).await.is_err() {
                self.log_close_timeout();
                break;
            }
            if let Some(worker) = running.workers.pop() {
                let _ = worker.thread.join();
            }
        }
        running.lock = None;
        self.shared.close_changes();
    }

    fn stop(&self) {
        self.shared.queue.close();
        self.readers.close();
        if let Some(copying) = &self.copier {
            copying.stop();
        }
    }

    fn log_close_timeout(&self) {
        tracing::error!(
            path = %self.shared.files.path().display(),
            "the disk does not answer, so the store is not closed; the next start recovers its log"
        );
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.stop();
        let running = self.running.get_mut();
        if running.closing {
            return;
        }
        let begun = std::time::Instant::now();
        for worker in running.workers.drain(..).rev() {
            while !worker.thread.is_finished() && begun.elapsed() < running.patience {
                std::thread::sleep(JOIN_POLL_INTERVAL);
            }
            if worker.thread.is_finished() {
                let _ = worker.thread.join();
            }
        }
        if begun.elapsed() >= running.patience {
            self.log_close_timeout();
        }
    }
}

#[async_trait]
impl Store for SqliteStore {
    fn capabilities(&self) -> Capabilities {
        self.capabilities.clone()
    }

    fn log_id(&self) -> LogId {
        self.shared.log_id()
    }

    async fn commit(&self, scope: &Scope, batch: Batch) -> Result<CommitReceipt, CommitError> {
        self.capabilities.check(&batch)?;
        let (answer, answered) = oneshot::channel();
        let job = BatchJob::new(scope, batch, answer)?;
        self.enqueue(job)?;
        match answered.await {
            Ok((answer, _)) => answer,
            // The writer panicked before it answered, perhaps after its commit.
            Err(ended) => Err(CommitError::Unknown(Error::outcome_unknown(COMMIT_OPERATION, ended))),
        }
    }

    async fn receipt(&self, scope: &Scope, once: &Idempotency) -> Result<Option<(CommitReceipt, [u8; 32])>> {
        let (scope, keyed, shared) = (scope.clone(), HashedKey::new(scope, once.clone()), Arc::clone(&self.shared));
        let look = move |connection: &rusqlite::Connection| {
            idempotency::receipt(connection, &shared.idempotency, &scope, &keyed)
        };
        self.readers.run("sqlite.receipt", look).await
    }

    async fn get(&self, scope: &Scope, kind: &DocumentKind, id: &DocId) -> Result<Option<Document>> {
        let name = (scope.clone(), kind.clone(), id.clone());
        let missed = match self.shared.documents.get(&name) {
            Ok(stored) => return Ok(stored.as_ref().map(CachedDocument::to_document)),
            Err(missed) => missed,
        };
        let load = {
            let name = name.clone();
            move |connection: &rusqlite::Connection| documents::load(connection, &name)
        };
        let stored = self.readers.run("sqlite.get", load).await?;
        let document = stored.as_ref().map(CachedDocument::to_document);
        self.shared.documents.insert_if_current(missed, name, stored);
        Ok(document)
    }

    async fn query(&self, scope: &Scope, query: &DocumentQuery, page: PageRequest) -> Result<Page<Document>> {
        self.readers.run("sqlite.query", queries::document_page(scope.clone(), query.clone(), page)?).await
    }

    async fn read(&self, scope: &Scope, key: &StreamKey, after: Seq, limit: usize) -> Result<Vec<StreamEvent>> {
        let stream = self.load_stream(scope, key).await?;
        if stream.head.seq <= after || stream.head.seq < stream.head.first || limit == 0 {
            return Ok(Vec::new());
        }
        let range = ReadRange { name: (scope.clone(), key.clone()), stream, after, limit, bytes: MAX_READ_BYTES };
        let read = move |connection: &rusqlite::Connection| streams::read_events(connection, &range);
        self.readers.run("sqlite.read", read).await
    }

    async fn head(&self, scope: &Scope, key: &StreamKey) -> Result<StreamHead> {
        Ok(self.load_stream(scope, key).await?.head)
    }

    async fn events(&self, scope: &Scope, filter: &EventFilter, page: PageRequest) -> Result<Page<StoredEvent>> {
        let log = self.log_id();
        let read = queries::events(scope.clone(), filter.clone(), page.unbind_from_log(log)?)?;
        Ok(self.readers.run("sqlite.events", read).await?.bind_to_log(log))
    }

    async fn audit(&self, scope: &Scope, filter: &AuditFilter, page: PageRequest) -> Result<Page<AuditEntry>> {
        let log = self.log_id();
        let read = queries::audit_page(scope.clone(), filter.clone(), page.unbind_from_log(log)?)?;
        Ok(self.readers.run("sqlite.audit", read).await?.bind_to_log(log))
    }

    async fn remove(
        &self,
        scope: &Scope,
        removal: &Removal,
        limit: usize,
        after: Option<&str>,
    ) -> Result<RemovalProgress> {
        let malformed = |_| {
            let detail = "the position is malformed; use that of the last step unchanged";
            Error::new(Code::CursorInvalid, "sqlite.remove", detail)
        };
        let after = after.map_or(Ok(0), |text| text.parse::<i64>().map_err(malformed))?;
        let step = RemovalWrite { removal: removal.clone(), limit, after, outcome: Mutex::default() };
        let step = Arc::new(step);
        self.run_write(scope, PreparedWrite::Remove(Arc::clone(&step)), "sqlite.remove").await?;
        let outcome = step.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(outcome.clone())
    }

    async fn reclaim(&self) -> Result<bool> {
        if self.shared.erasure.is_pending() {
            self.run_write(&self.shared.system, PreparedWrite::Reclaim, "sqlite.reclaim").await?;
        }
        Ok(!self.shared.erasure.is_pending())
    }

    fn changes(&self) -> StoreChanges {
        let listener = self.shared.subscribe();
        Box::pin(futures_util::stream::unfold(listener, |listener| async move {
            let mut listener = listener?;
            match listener.recv().await {
                Ok(change) => Some((change, Some(listener))),
                Err(broadcast::error::RecvError::Lagged(_)) => Some((StoreChange::Lagged, Some(listener))),
                Err(broadcast::error::RecvError::Closed) => None,
            }
        }))
    }

    async fn ping(&self) -> Result<()> {
        if self.shared.queue.is_closed() {
            return Err(closed_error("sqlite.ping"));
        }
        let look = |connection: &rusqlite::Connection| {
            connection.prepare_cached("SELECT count(*) FROM meta")?.query_row([], |row| row.get::<_, i64>(0))?;
            Ok(())
        };
        self.shared.files.check().map_err(|failure| failure.into_error("sqlite.ping", self.shared.files.path()))?;
        self.readers.run("sqlite.ping", look).await
    }

    async fn health(&self) -> Result<()> {
        const OPERATION: &str = "sqlite.health";
        let failed = |failure: SqliteFailure| failure.into_error(OPERATION, self.shared.files.path());
        if let Some(failure) = self.shared.integrity.not_ready_reason() {
            return Err(failed(failure));
        }
        match self.shared.health.verdict(self.stalled_after, self.probe_every) {
            HealthVerdict::Healthy => self.ping().await,
            HealthVerdict::Failing(failure) => Err(failed(failure)),
            HealthVerdict::Probe => self.run_write(&self.shared.system, PreparedWrite::Probe, OPERATION).await,
        }
    }

    fn usage(&self) -> StorageUsage {
        let (data_bytes, log_bytes) = self.shared.files.sizes();
        StorageUsage::new(data_bytes, log_bytes)
    }

    fn archive(&self) -> Option<&dyn Archive> {
        Some(self)
    }

    fn backup_source(&self) -> Option<&dyn BackupSource> {
        self.copier.as_ref().map(|copying| copying as &dyn BackupSource)
    }
}

impl SqliteStore {
    /// Adds a batch to the writer's queue.
    fn enqueue(&self, job: BatchJob) -> Result<(), CommitError> {
        if let Some(failure) = self.shared.integrity.damage() {
            return Err(failure.into_not_stored(COMMIT_OPERATION, self.shared.files.path()));
        }
        self.shared.queue.push(job).map_err(|rejected| match rejected {
            PushError::Closed => CommitError::Backend(closed_error(COMMIT_OPERATION)),
            PushError::Full => {
                let detail = "too many writes are waiting; nothing was stored, retry later";
                CommitError::Backend(
                    Error::new(Code::BackendUnavailable, COMMIT_OPERATION, detail)
                        .with_retry_after(Duration::from_secs(1)),
                )
            }
            PushError::Suspended(failure) => failure.into_not_stored(COMMIT_OPERATION, self.shared.files.path()),
        })
    }

    pub(super) fn readers(&self) -> &ReaderPool {
        &self.readers
    }

    pub(super) fn shared(&self) -> &Arc<StoreState> {
        &self.shared
    }

    pub(super) fn options(&self) -> &SqliteOptions {
        &self.options
    }

    /// Runs an archive write together with a batch.
    pub(super) async fn run_archive(
        &self,
        scope: &Scope,
        step: ArchiveWrite,
        batch: Batch,
        size: usize,
    ) -> Result<CommitReceipt, CommitError> {
        let (answer, answered) = oneshot::channel();
        self.enqueue(BatchJob::archive(scope, step, batch, size, answer)?)?;
        match answered.await {
            Ok((answer, _)) => answer,
            Err(ended) => Err(CommitError::Backend(Error::outcome_unknown("sqlite.archive", ended))),
        }
    }

    /// Runs a write that no batch can contain.
    async fn run_write(&self, scope: &Scope, step: PreparedWrite, operation: &'static str) -> Result<()> {
        let (answer, answered) = oneshot::channel();
        self.enqueue(BatchJob::of_write(scope, step, answer))?;
        match answered.await {
            Ok((answer, _)) => Ok(answer.map(drop)?),
            Err(ended) => Err(Error::outcome_unknown(operation, ended)),
        }
    }

    /// Returns a stream's row, from the cache if it is there.
    async fn load_stream(&self, scope: &Scope, key: &StreamKey) -> Result<StreamRow> {
        let name = (scope.clone(), key.clone());
        let missed = match self.shared.heads.get(&name) {
            Ok(stream) => return Ok(stream),
            Err(missed) => missed,
        };
        let load = {
            let name = name.clone();
            move |connection: &rusqlite::Connection| streams::load(connection, &name)
        };
        let stream = self.readers.run("sqlite.head", load).await?;
        self.shared.heads.insert_if_current(missed, name, stream);
        Ok(stream)
    }
}

#[async_trait]
impl EventFeed for SqliteStore {
    async fn after(&self, position: u64, limit: usize) -> Result<Vec<FeedItem>> {
        self.readers.run("sqlite.feed", move |connection| queries::read_feed(connection, position, limit)).await
    }

    async fn scopes(&self, after: Option<&Scope>, limit: usize) -> Result<Vec<Scope>> {
        let after = after.cloned();
        self.readers
            .run("sqlite.scopes", move |connection| queries::scopes_after(connection, after.as_ref(), limit))
            .await
    }
}
