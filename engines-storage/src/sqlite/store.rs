//! The store itself.

use std::{
    fs::{File, OpenOptions},
    path::Path,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use async_trait::async_trait;
use engines_core::{
    Code, DocId, Error, Result, Scope,
    audit::{AuditEntry, AuditFilter},
    event::{EventFilter, StoredEvent},
    nexus::{
        BackupSource, Batch, Capabilities, Change, Changes, CommitError, Document, EventFeed, FeedItem, Head, Kind,
        Once, Page, Paged, Query, Receipt, Removal, Removed, Store, Usage, archive::Archive,
    },
    stream::{LogId, Seq, StreamEvent, StreamKey},
};
use quick_cache::Weighter;
use tokio::{
    sync::{broadcast, oneshot},
    time::Instant,
};

use super::{
    archive,
    backup::Copying,
    cache::Cache,
    checkpoint::Checkpoints,
    connections::Connections,
    documents::{self, Stored},
    erasure::Erasure,
    error::{Failure, cannot_open, closed},
    files::Files,
    health::{Health, Verdict},
    integrity::{self, Integrity},
    job::{Job, RemovalStep, Step},
    once::{self, Keyed, Recent},
    open::{self, Opened, OpenedBeside},
    options::SqliteOptions,
    queue::{Queue, Rejected},
    read,
    readers::{ReadQueue, Readers},
    schema,
    streams::{self, Range, Stream},
    writer::Writer,
};

const COMMIT: &str = "sqlite.commit";

/// Time between two looks at threads that are to end, when a store is dropped without being closed.
const POLL: Duration = Duration::from_millis(5);

/// Bytes of events one [`Store::read`] answers with, at the most, but always at least one event.
const READ_BYTES: usize = 4 << 20;

/// One SQLite file as a store.
#[derive(Debug)]
pub struct SqliteStore {
    shared: Arc<Shared>,
    readers: Readers,
    /// None beside another process, which backs up what it has open.
    copying: Option<Copying>,
    capabilities: Capabilities,
    probe_every: Duration,
    stalled_after: Duration,
    options: SqliteOptions,
    running: tokio::sync::Mutex<Running>,
}

/// What the writer and everybody else share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) system: Scope,
    pub(super) queue: Queue,
    pub(super) heads: Cache<streams::Name, Stream, One>,
    pub(super) documents: Cache<documents::Name, Option<Stored>, Bytes>,
    pub(super) once: Recent,
    pub(super) erasure: Erasure,
    pub(super) reads: ReadQueue,
    pub(super) connections: Arc<Connections>,
    pub(super) files: Files,
    pub(super) health: Health,
    pub(super) integrity: Integrity,
    /// The data file, once [`super::gaps`] needed it; open until the last connection is closed.
    data_file: OnceLock<File>,
    /// Whether `data_file` is set; locked while it is opened.
    data_file_opened: Mutex<bool>,
    /// Held from a commit until everybody can see it: see [`Shared::settled`].
    pub(super) publishing: Mutex<()>,
    changes: Mutex<Option<broadcast::Sender<Change>>>,
    /// The log's id.
    log: Mutex<LogId>,
}

impl Shared {
    /// Returns when everything that was in the file at the time of the call is in memory too. A reader calls it before it
    /// answers, so that nobody who hears of a value can then be told the one before it.
    pub(super) fn settled(&self) {
        drop(self.publishing.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The log has another id from now on.
    pub(super) fn set_log(&self, log: LogId) {
        *self.log.lock().unwrap_or_else(PoisonError::into_inner) = log;
    }

    /// The data file, for reading, writing and syncing past SQLite. It is opened once and stays open until the store is closed: closing
    /// any descriptor of the file would drop SQLite's locks on it.
    ///
    /// # Errors
    /// The file cannot be opened, or another one is there under its name.
    pub(super) fn data_file(&self) -> Result<&File, Failure> {
        let mut opened = self.data_file_opened.lock().unwrap_or_else(PoisonError::into_inner);
        if !*opened {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .open(self.files.path())
                .map_err(|error| Failure::io(&error))?;
            // Another file has no locks of SQLite that closing it could drop.
            self.files.check_opened(&file)?;
            *opened = self.data_file.set(file).is_ok();
        }
        self.data_file.get().ok_or_else(|| Failure::io(&std::io::Error::other("the data file is not open")))
    }

    /// Tells whoever listens.
    pub(super) fn tell(&self, change: Change) {
        if let Some(changes) = &*self.changes.lock().unwrap_or_else(PoisonError::into_inner) {
            // Nobody listening is no error.
            let _ = changes.send(change);
        }
    }
}

/// Weighs everything alike.
#[derive(Debug, Clone)]
pub(super) struct One;

impl<K, V> Weighter<K, V> for One {
    fn weight(&self, _: &K, _: &V) -> u64 {
        1
    }
}

/// Weighs documents by their bytes.
#[derive(Debug, Clone)]
pub(super) struct Bytes;

/// Bytes of a cached document besides its content, roughly.
const OVERHEAD: usize = 256;

impl Weighter<documents::Name, Option<Stored>> for Bytes {
    fn weight(&self, _: &documents::Name, value: &Option<Stored>) -> u64 {
        let content = value.as_ref().map_or(0, |stored| {
            stored.document.body.get().len() + stored.document.tags.iter().map(String::len).sum::<usize>()
        });
        (OVERHEAD + content) as u64
    }
}

/// A thread, and word of its end.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) done: oneshot::Receiver<()>,
    pub(super) thread: JoinHandle<()>,
}

/// What runs until the store is closed.
#[derive(Debug)]
struct Running {
    workers: Vec<Worker>,
    /// The threads that write hold it too, so that it is released when the last of them has ended.
    lock: Option<Arc<File>>,
    /// How long to wait for the threads.
    patience: Duration,
    /// [`SqliteStore::close`] has waited for them, or is waiting.
    closing: bool,
}

impl SqliteStore {
    /// Opens the file at `path`, or makes it; its folder must be there. Beside it lie `-wal` and `-shm` while it runs, and always `.lock`
    /// and `.created`, which says that the data file was made. Nobody but the owner can read them.
    ///
    /// Blocks for some milliseconds; longer when a long log is left from an unclean end.
    ///
    /// # Errors
    /// `BACKEND_UNAVAILABLE`, saying what to do: when another process has it open, when it is no database, damaged, another
    /// program's or of a newer version, when it is missing although it was made before, when its log is damaged in front of
    /// transactions that were acknowledged (see [`SqliteOptions::accept_loss`]), and when it cannot be read or written.
    pub fn open(path: impl AsRef<Path>, options: SqliteOptions) -> Result<Self> {
        let path = path.as_ref();
        let Opened { writer, log, lock, files, unchecked } = open::open(path, &options)?;
        let (changes, _) = broadcast::channel(options.changes.clamp(1, 1 << 20));
        let shared = Arc::new(Shared {
            system: Scope::system()?,
            queue: Queue::new(options.write_queue, options.write_queue_bytes),
            heads: Cache::new(options.head_cache, options.head_cache, One),
            documents: Cache::new(options.document_cache_bytes / 1024, options.document_cache_bytes, Bytes),
            once: Recent::default(),
            erasure: Erasure::default(),
            reads: ReadQueue::default(),
            connections: Arc::default(),
            files,
            health: Health::default(),
            integrity: Integrity::default(),
            data_file: OnceLock::new(),
            data_file_opened: Mutex::new(false),
            publishing: Mutex::new(()),
            changes: Mutex::new(Some(changes)),
            log: Mutex::new(log),
        });
        shared.once.load(&writer).map_err(|failure| schema::opening(failure, path))?;
        shared.erasure.load(&writer).map_err(|failure| schema::opening(failure, path))?;
        let writer = shared.connections.open(|| Ok(writer)).map_err(|failure| schema::opening(failure, path))?;
        let failed = |error: std::io::Error| cannot_open(format!("a thread could not be started: {error}"));
        let (readers, mut workers) = Readers::start(&options, &shared).map_err(failed)?;
        let (checkpoints, checkpointer) = Checkpoints::start(&options, &shared).map_err(failed)?;
        workers.insert(0, checkpointer);
        let copying = Some(Copying::new(&shared, &options, checkpoints.log()));
        if unchecked {
            workers.insert(0, integrity::start(&options, &shared).map_err(failed)?);
        }
        let (lock, patience) = (Arc::new(lock), options.close_timeout);
        let (probe_every, stalled_after) = (options.probe_every, options.stalled_after);
        let writer = Writer::new(writer, options.clone(), Arc::clone(&shared), checkpoints, Arc::clone(&lock));
        let writer = Worker::spawn("sqlite-writer", move |ended| writer.run(ended)).map_err(failed)?;
        // The last one in is the first to be waited for.
        workers.push(writer);
        let capabilities = Capabilities {
            name: "sqlite",
            durable: true,
            pipelined: true,
            removes: true,
            backup: true,
            ..Capabilities::default()
        };
        let running = Running { workers, lock: Some(lock), patience, closing: false };
        let running = tokio::sync::Mutex::new(running);
        Ok(Self { shared, readers, copying, capabilities, probe_every, stalled_after, options, running })
    }

    /// Opens a file for reading alone, also while another process has it open. Nothing is kept in memory, and nothing can be written: what asks for that is refused.
    ///
    /// # Errors
    /// `BACKEND_UNAVAILABLE` when it is no data file of today's schema, or cannot be read.
    pub fn open_beside(path: impl AsRef<Path>, options: SqliteOptions) -> Result<Self> {
        let path = path.as_ref();
        let OpenedBeside { log, files } = open::open_beside(path, &options)?;
        let shared = Arc::new(Shared {
            system: Scope::system()?,
            queue: Queue::new(1, 1),
            heads: Cache::new(0, 0, One),
            documents: Cache::new(0, 0, Bytes),
            once: Recent::default(),
            erasure: Erasure::default(),
            reads: ReadQueue::default(),
            connections: Arc::default(),
            files,
            health: Health::default(),
            integrity: Integrity::default(),
            data_file: OnceLock::new(),
            data_file_opened: Mutex::new(false),
            publishing: Mutex::new(()),
            changes: Mutex::new(None),
            log: Mutex::new(log),
        });
        shared.queue.close();
        let failed = |error: std::io::Error| cannot_open(format!("a thread could not be started: {error}"));
        let (readers, workers) = Readers::start(&options, &shared).map_err(failed)?;
        let capabilities =
            Capabilities { name: "sqlite", durable: true, pipelined: true, removes: true, ..Capabilities::default() };
        let (probe_every, stalled_after) = (options.probe_every, options.stalled_after);
        let running = Running { workers, lock: None, patience: options.close_timeout, closing: false };
        let running = tokio::sync::Mutex::new(running);
        Ok(Self { shared, readers, copying: None, capabilities, probe_every, stalled_after, options, running })
    }

    /// Whether another process has the file at `path` open for writing. It may change at any moment.
    ///
    /// # Errors
    /// `BACKEND_UNAVAILABLE` when the lock file cannot be read.
    pub fn is_in_use(path: impl AsRef<Path>) -> Result<bool> {
        open::is_in_use(path.as_ref())
    }

    /// Writes what still waits, moves the log into the data file and lets go of it. Whatever is asked for later is refused.
    ///
    /// Waits up to [`SqliteOptions::close_timeout`]. When the disk does not answer in that time it gives up with a logged error: the
    /// threads and the lock then stay until the process ends, and the next start takes up the log.
    pub async fn close(&self) {
        self.stop();
        let mut running = self.running.lock().await;
        running.closing = true;
        let deadline = Instant::now() + running.patience;
        while let Some(worker) = running.workers.last_mut() {
            // An error means that it ended without a word, by a panic: it has ended all the same.
            if tokio::time::timeout_at(deadline, &mut worker.done).await.is_err() {
                self.give_up();
                break;
            }
            if let Some(worker) = running.workers.pop() {
                let _ = worker.thread.join();
            }
        }
        running.lock = None;
        self.shared.changes.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn stop(&self) {
        self.shared.queue.close();
        self.readers.close();
        if let Some(copying) = &self.copying {
            copying.stop();
        }
    }

    fn give_up(&self) {
        tracing::error!(
            path = %self.shared.files.path().display(),
            "the disk does not answer, so the store is left without being closed; the next start takes up its log"
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
                std::thread::sleep(POLL);
            }
            if worker.thread.is_finished() {
                let _ = worker.thread.join();
            }
        }
        if begun.elapsed() >= running.patience {
            self.give_up();
        }
    }
}

#[async_trait]
impl Store for SqliteStore {
    fn capabilities(&self) -> Capabilities {
        self.capabilities.clone()
    }

    fn log_id(&self) -> LogId {
        *self.shared.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn commit(&self, scope: &Scope, batch: Batch) -> Result<Receipt, CommitError> {
        batch.check(&self.capabilities)?;
        let (answer, answered) = oneshot::channel();
        let job = Job::new(scope, batch, answer)?;
        self.enqueue(job)?;
        match answered.await {
            Ok((answer, _)) => answer,
            // The writer has ended without an answer, by a panic, maybe after its commit.
            Err(ended) => Err(CommitError::Unknown(Error::outcome_unknown(COMMIT, ended))),
        }
    }

    async fn receipt(&self, scope: &Scope, once: &Once) -> Result<Option<(Receipt, [u8; 32])>> {
        let (scope, keyed, shared) = (scope.clone(), Keyed::new(scope, once.clone()), Arc::clone(&self.shared));
        let look = move |connection: &rusqlite::Connection| once::receipt(connection, &shared.once, &scope, &keyed);
        self.readers.run("sqlite.receipt", look).await
    }

    async fn get(&self, scope: &Scope, kind: &Kind, id: &DocId) -> Result<Option<Document>> {
        let name = (scope.clone(), kind.clone(), id.clone());
        let missed = match self.shared.documents.get(&name) {
            Ok(stored) => return Ok(stored.as_ref().map(Stored::to_document)),
            Err(missed) => missed,
        };
        let load = {
            let name = name.clone();
            move |connection: &rusqlite::Connection| documents::load(connection, &name)
        };
        let stored = self.readers.run("sqlite.get", load).await?;
        let document = stored.as_ref().map(Stored::to_document);
        self.shared.documents.offer(missed, name, stored);
        Ok(document)
    }

    async fn query(&self, scope: &Scope, query: &Query, page: Page) -> Result<Paged<Document>> {
        self.readers.run("sqlite.query", read::query(scope.clone(), query.clone(), page)?).await
    }

    async fn read(&self, scope: &Scope, key: &StreamKey, after: Seq, limit: usize) -> Result<Vec<StreamEvent>> {
        let stream = self.stream(scope, key).await?;
        if stream.head.seq <= after || stream.head.seq < stream.head.first || limit == 0 {
            return Ok(Vec::new());
        }
        let range = Range { name: (scope.clone(), key.clone()), stream, after, limit, bytes: READ_BYTES };
        let read = move |connection: &rusqlite::Connection| streams::read(connection, &range);
        self.readers.run("sqlite.read", read).await
    }

    async fn head(&self, scope: &Scope, key: &StreamKey) -> Result<Head> {
        Ok(self.stream(scope, key).await?.head)
    }

    async fn events(&self, scope: &Scope, filter: &EventFilter, page: Page) -> Result<Paged<StoredEvent>> {
        self.readers.run("sqlite.events", read::events(scope.clone(), filter.clone(), page)?).await
    }

    async fn audit(&self, scope: &Scope, filter: &AuditFilter, page: Page) -> Result<Paged<AuditEntry>> {
        self.readers.run("sqlite.audit", read::audit(scope.clone(), filter.clone(), page)?).await
    }

    async fn remove(&self, scope: &Scope, removal: &Removal, limit: usize, after: Option<&str>) -> Result<Removed> {
        let malformed = |_| {
            let detail = "the position is malformed; use that of the last step unchanged";
            Error::new(Code::CursorInvalid, "sqlite.remove", detail)
        };
        let after = after.map_or(Ok(0), |text| text.parse::<i64>().map_err(malformed))?;
        let step = RemovalStep { removal: removal.clone(), limit, after, outcome: Mutex::default() };
        let step = Arc::new(step);
        self.run_step(scope, Step::Remove(Arc::clone(&step)), "sqlite.remove").await?;
        let outcome = step.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(outcome.clone())
    }

    async fn reclaim(&self) -> Result<bool> {
        if self.shared.erasure.is_pending() {
            self.run_step(&self.shared.system, Step::Reclaim, "sqlite.reclaim").await?;
        }
        Ok(!self.shared.erasure.is_pending())
    }

    fn changes(&self) -> Changes {
        let listener = self
            .shared
            .changes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .map(broadcast::Sender::subscribe);
        Box::pin(futures_util::stream::unfold(listener, |listener| async move {
            let mut listener = listener?;
            match listener.recv().await {
                Ok(change) => Some((change, Some(listener))),
                Err(broadcast::error::RecvError::Lagged(_)) => Some((Change::Missed, Some(listener))),
                Err(broadcast::error::RecvError::Closed) => None,
            }
        }))
    }

    async fn ping(&self) -> Result<()> {
        if self.shared.queue.is_closed() {
            return Err(closed("sqlite.ping"));
        }
        let look = |connection: &rusqlite::Connection| {
            connection.prepare_cached("SELECT count(*) FROM meta")?.query_row([], |row| row.get::<_, i64>(0))?;
            Ok(())
        };
        self.shared.files.check().map_err(|failure| failure.error("sqlite.ping", self.shared.files.path()))?;
        self.readers.run("sqlite.ping", look).await
    }

    async fn health(&self) -> Result<()> {
        const OPERATION: &str = "sqlite.health";
        let failed = |failure: Failure| failure.error(OPERATION, self.shared.files.path());
        if let Some(failure) = self.shared.integrity.unready() {
            return Err(failed(failure));
        }
        match self.shared.health.verdict(self.stalled_after, self.probe_every) {
            Verdict::Well => self.ping().await,
            Verdict::Failing(failure) => Err(failed(failure)),
            Verdict::Probe => self.run_step(&self.shared.system, Step::Probe, OPERATION).await,
        }
    }

    fn usage(&self) -> Usage {
        let (data_bytes, log_bytes) = self.shared.files.sizes();
        Usage::new(data_bytes, log_bytes)
    }

    fn archive(&self) -> Option<&dyn Archive> {
        Some(self)
    }

    fn backup_source(&self) -> Option<&dyn BackupSource> {
        self.copying.as_ref().map(|copying| copying as &dyn BackupSource)
    }
}

impl SqliteStore {
    /// Puts a batch into the writer's queue.
    fn enqueue(&self, job: Job) -> Result<(), CommitError> {
        if let Some(failure) = self.shared.integrity.damage() {
            return Err(failure.not_stored(COMMIT, self.shared.files.path()));
        }
        self.shared.queue.push(job).map_err(|rejected| match rejected {
            Rejected::Closed => CommitError::Backend(closed(COMMIT)),
            Rejected::Full => {
                let detail = "too many writes are waiting; nothing was stored, retry later";
                CommitError::Backend(
                    Error::new(Code::BackendUnavailable, COMMIT, detail).retry_after(Duration::from_secs(1)),
                )
            }
            Rejected::Suspended(failure) => failure.not_stored(COMMIT, self.shared.files.path()),
        })
    }

    pub(super) fn readers(&self) -> &Readers {
        &self.readers
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(super) fn options(&self) -> &SqliteOptions {
        &self.options
    }

    /// Runs a step of the archive side, and a batch with it.
    pub(super) async fn run_archive(
        &self,
        scope: &Scope,
        step: archive::Step,
        batch: Batch,
        size: usize,
    ) -> Result<Receipt, CommitError> {
        let (answer, answered) = oneshot::channel();
        self.enqueue(Job::archive(scope, step, batch, size, answer)?)?;
        match answered.await {
            Ok((answer, _)) => answer,
            Err(ended) => Err(CommitError::Backend(Error::outcome_unknown("sqlite.archive", ended))),
        }
    }

    /// Has the writer take a step that no batch can hold.
    async fn run_step(&self, scope: &Scope, step: Step, operation: &'static str) -> Result<()> {
        let (answer, answered) = oneshot::channel();
        self.enqueue(Job::of_step(scope, step, answer))?;
        match answered.await {
            Ok((answer, _)) => Ok(answer.map(drop)?),
            Err(ended) => Err(Error::outcome_unknown(operation, ended)),
        }
    }

    /// A stream's row, from memory if it is there.
    async fn stream(&self, scope: &Scope, key: &StreamKey) -> Result<Stream> {
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
        self.shared.heads.offer(missed, name, stream);
        Ok(stream)
    }
}

#[async_trait]
impl EventFeed for SqliteStore {
    async fn after(&self, position: u64, limit: usize) -> Result<Vec<FeedItem>> {
        self.readers.run("sqlite.feed", move |connection| read::feed(connection, position, limit)).await
    }

    async fn scopes(&self, after: Option<&Scope>, limit: usize) -> Result<Vec<Scope>> {
        let after = after.cloned();
        self.readers.run("sqlite.scopes", move |connection| read::scopes_after(connection, after.as_ref(), limit)).await
    }
}
