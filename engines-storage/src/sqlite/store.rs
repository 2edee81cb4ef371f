//! The store itself.

use std::{
    fs::File,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
};

use async_trait::async_trait;
use engines_core::{
    Code, DocId, Error, Result, Scope,
    audit::{AuditEntry, AuditFilter},
    event::{EventFilter, StoredEvent},
    nexus::{
        Batch, Capabilities, Change, Changes, CommitError, Document, EventFeed, FeedItem, Head, Kind, Once, Page,
        Paged, Query, Receipt, Removal, Removed, Store,
    },
    stream::{LogId, Seq, StreamEvent, StreamKey},
};
use quick_cache::Weighter;
use tokio::sync::{broadcast, oneshot};

use super::{
    cache::Cache,
    checkpoint::Checkpoints,
    documents::{self, Stored},
    erasure::Erasure,
    error::{cannot_open, closed},
    job::{Job, RemovalStep, Step},
    once::{self, Keyed, Recent},
    open::{self, Opened},
    options::SqliteOptions,
    queue::Queue,
    read,
    readers::Readers,
    schema,
    streams::{self, Range, Stream},
    writer::Writer,
};

/// Bytes of events one [`Store::read`] answers with, at the most, but always at least one event.
const READ_BYTES: usize = 4 << 20;

/// One SQLite file as a store.
#[derive(Debug)]
pub struct SqliteStore {
    shared: Arc<Shared>,
    readers: Readers,
    capabilities: Capabilities,
    log: LogId,
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
    /// Held from a commit until everybody can see it: see [`Shared::settled`].
    pub(super) publishing: Mutex<()>,
    changes: Mutex<Option<broadcast::Sender<Change>>>,
}

impl Shared {
    /// Returns when everything that was in the file at the time of the call is in memory too. A reader calls it before it
    /// answers, so that nobody who hears of a value can then be told the one before it.
    pub(super) fn settled(&self) {
        drop(self.publishing.lock().unwrap_or_else(PoisonError::into_inner));
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

/// What runs until the store is closed. The lock goes last.
#[derive(Debug)]
struct Running {
    workers: Vec<Worker>,
    lock: Option<File>,
}

impl SqliteStore {
    /// Opens the file at `path`, or makes it; its folder must be there. Beside it lie `-wal` and `-shm` while it runs, and `.lock`.
    ///
    /// Blocks for some milliseconds; longer when a long log is left from an unclean end.
    ///
    /// # Errors
    /// `BACKEND_UNAVAILABLE`, saying what to do: when another process has it open, when it is no database, damaged, another
    /// program's or of a newer version, and when it cannot be read or written.
    pub fn open(path: impl AsRef<Path>, options: SqliteOptions) -> Result<Self> {
        let path = path.as_ref();
        let Opened { writer, log, lock } = open::open(path, &options)?;
        let (changes, _) = broadcast::channel(options.changes.clamp(1, 1 << 20));
        let shared = Arc::new(Shared {
            system: Scope::system()?,
            queue: Queue::new(options.write_queue, options.write_queue_bytes),
            heads: Cache::new(options.head_cache, options.head_cache, One),
            documents: Cache::new(options.document_cache_bytes / 1024, options.document_cache_bytes, Bytes),
            once: Recent::default(),
            erasure: Erasure::default(),
            publishing: Mutex::new(()),
            changes: Mutex::new(Some(changes)),
        });
        shared.once.load(&writer).map_err(schema::opening)?;
        let failed = |error: std::io::Error| cannot_open(format!("a thread could not be started: {error}"));
        let (readers, mut workers) = Readers::start(path, &options, &shared).map_err(failed)?;
        let (checkpoints, checkpointer) = Checkpoints::start(path.to_owned(), &options, &shared).map_err(failed)?;
        workers.insert(0, checkpointer);
        let writer = Writer::new(writer, path.to_owned(), options, Arc::clone(&shared), checkpoints);
        let writer = Worker::spawn("sqlite-writer", move |ended| writer.run(ended)).map_err(failed)?;
        // The last one in is the first to be waited for.
        workers.push(writer);
        let capabilities =
            Capabilities { name: "sqlite", durable: true, pipelined: true, removes: true, ..Capabilities::default() };
        let running = tokio::sync::Mutex::new(Running { workers, lock: Some(lock) });
        Ok(Self { shared, readers, capabilities, log, running })
    }

    /// Writes what still waits, moves the log into the data file and lets go of it. Whatever is asked for later is refused.
    pub async fn close(&self) {
        self.stop();
        let mut running = self.running.lock().await;
        while let Some(mut worker) = running.workers.pop() {
            // An error means that it ended without a word, by a panic: it has ended all the same.
            let _ = (&mut worker.done).await;
            let _ = worker.thread.join();
        }
        running.lock = None;
        self.shared.changes.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn stop(&self) {
        self.shared.queue.close();
        self.readers.close();
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.stop();
        for worker in self.running.get_mut().workers.drain(..).rev() {
            let _ = worker.thread.join();
        }
    }
}

#[async_trait]
impl Store for SqliteStore {
    fn capabilities(&self) -> Capabilities {
        self.capabilities.clone()
    }

    fn log_id(&self) -> LogId {
        self.log
    }

    async fn commit(&self, scope: &Scope, batch: Batch) -> Result<Receipt, CommitError> {
        batch.check(&self.capabilities)?;
        let (answer, answered) = oneshot::channel();
        let job = Job::new(scope, batch, answer)?;
        self.shared.queue.push(job).map_err(CommitError::Backend)?;
        match answered.await {
            Ok((answer, _)) => answer,
            Err(_) => Err(CommitError::Backend(closed("sqlite.commit"))),
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
        self.readers.run("sqlite.ping", look).await
    }
}

impl SqliteStore {
    /// Has the writer take a step that no batch can hold.
    async fn run_step(&self, scope: &Scope, step: Step, operation: &'static str) -> Result<()> {
        let (answer, answered) = oneshot::channel();
        self.shared.queue.push(Job::of_step(scope, step, answer))?;
        match answered.await {
            Ok((answer, _)) => Ok(answer.map(drop)?),
            Err(_) => Err(closed(operation)),
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
}
