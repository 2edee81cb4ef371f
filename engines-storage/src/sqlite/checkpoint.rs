//! Moves the log's pages to the data file without making commits wait for it.
//!
//! Pages can be moved while the writer continues, but the log restarts only when all of it was moved at a moment
//! without writes. A separate thread therefore moves most of the pages, and the writer moves the rest between two
//! groups of batches.
//!
//! Both connections are opened before the first page is moved, and stay open until the store closes or recovers. The
//! kernel reports a failed write to each descriptor that was open at that time, so whichever connection syncs the
//! data file gets the error.

use std::{
    fs::File,
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use rusqlite::Connection;

use super::{
    checkpoint_pragma::{CheckpointResult, run_checkpoint},
    connections::CountedConnection,
    erasure::ErasureState,
    error::SqliteFailure,
    opening,
    options::SqliteOptions,
    page_gaps::GapEraser,
    state::StoreState,
    worker_thread::WorkerThread,
};

/// Maximum number of rounds of the thread before the writer moves the rest. Each round moves the pages that were
/// written during the round before.
const MAX_ROUNDS: usize = 4;
/// The writer moves the rest when it is at most [`SqliteOptions::checkpoint_pages`] divided by this.
const REMAINDER_DIVISOR: usize = 8;
/// A log is long when it has this many times [`SqliteOptions::checkpoint_pages`], as after a backup.
const LONG: usize = 2;
/// Interval of syncs of the data file while a long log is moved. Without them the sync at the end of the checkpoint
/// wrote up to a gigabyte at once, and commits waited a second for it. With a log of the usual length such syncs
/// would double the 99th percentile of commits.
const SYNC_EVERY: Duration = Duration::from_millis(100);
/// Maximum number of bytes by which the log is truncated at a time. Truncating 1.4 GiB at once took ext4 1.7 s, and the
/// commits waited for it.
const CUT_BYTES: u64 = 64 << 20;
/// Minimum interval between two warnings about a long log.
const WARN_EVERY: Duration = Duration::from_secs(60);

/// What the writer and the thread tell each other.
#[derive(Debug, Default)]
pub(super) struct WalState {
    /// Pages in the log, as of the last commit.
    pages: AtomicUsize,
    /// The bulk was moved.
    bulk_moved: AtomicBool,
    /// The part of the log that is known to be in the synced data file.
    synced: Mutex<SyncedLog>,
    /// The thread met a fault of the disk.
    fault: Mutex<Option<SqliteFailure>>,
}

/// The length of the log at the moment when all of it was moved and the data file was synced.
#[derive(Debug, Default)]
struct SyncedLog {
    pages: usize,
    /// Number of times the log has restarted. The result of a checkpoint that began before the last restart does not
    /// describe the present log.
    restarts: u64,
}

/// A request to the thread.
#[derive(Debug)]
enum CheckpointRequest {
    /// Open the connection.
    OpenConnection,
    /// Move what can be moved.
    MovePages,
    /// Close the connection, then send a message.
    CloseConnection(mpsc::Sender<()>),
}

/// The writer's side of checkpoints.
pub(super) struct Checkpointer {
    log: Arc<WalState>,
    gaps: GapEraser,
    requests: mpsc::Sender<CheckpointRequest>,
    requested: bool,
    threshold: usize,
    due: usize,
    last: usize,
    keep_bytes: u64,
    warn_bytes: u64,
    warned: Option<Instant>,
    shared: Arc<StoreState>,
}

impl Checkpointer {
    /// Starts the thread, which opens its connection.
    pub(super) fn start(options: &SqliteOptions, shared: &Arc<StoreState>) -> std::io::Result<(Self, WorkerThread)> {
        let (requests, requested) = mpsc::channel();
        let log = Arc::new(WalState::default());
        let threshold = options.checkpoint_pages.max(1);
        let warn_bytes = options.log_warn_bytes;
        let gaps = GapEraser::new(Arc::clone(shared), options.secure_delete);
        let worker = {
            let (log, shared, options) = (Arc::clone(&log), Arc::clone(shared), options.clone());
            WorkerThread::spawn("sqlite-log", move |ended| {
                run_thread(&requested, &options, &shared, &log);
                let _ = ended.send(());
            })?
        };
        let checkpoints = Self {
            log,
            gaps,
            requests,
            requested: false,
            threshold,
            due: threshold,
            last: 0,
            keep_bytes: options.log_keep_bytes,
            warn_bytes,
            warned: None,
            shared: Arc::clone(shared),
        };
        checkpoints.open_connection();
        Ok((checkpoints, worker))
    }

    /// Returns the state that the writer's connection updates with the length of the log.
    pub(super) fn log(&self) -> Arc<WalState> {
        Arc::clone(&self.log)
    }

    /// Makes the thread open its connection.
    pub(super) fn open_connection(&self) {
        let _ = self.requests.send(CheckpointRequest::OpenConnection);
    }

    /// Makes the thread close its connection, and drops the pending request. The returned channel receives a message,
    /// or is closed, when the connection is closed.
    pub(super) fn close_connection(&mut self) -> mpsc::Receiver<()> {
        let (done, released) = mpsc::channel();
        let _ = self.requests.send(CheckpointRequest::CloseConnection(done));
        self.requested = false;
        released
    }

    /// Frames that the log holds at least: acknowledged, and not all of them known to be in the synced data file.
    pub(super) fn acknowledged_frames(&self) -> usize {
        self.log.pages_to_move()
    }

    /// After a recovery: the log is empty, and what the thread met before does not count.
    pub(super) fn reset_after_recovery(&mut self) {
        self.log.note_pages(0);
        self.log.bulk_moved.store(false, Ordering::Relaxed);
        self.log.take_fault();
        (self.requested, self.due, self.last) = (false, self.threshold, 0);
        self.open_connection();
    }

    /// Requests a checkpoint when one is due, and moves the rest of the pages after the thread has moved the bulk.
    /// Called between two groups of batches.
    ///
    /// # Errors
    ///
    /// A disk fault that the thread or this call found.
    pub(super) fn between_groups(&mut self, connection: &Connection) -> Result<(), SqliteFailure> {
        if let Some(fault) = self.log.take_fault() {
            return Err(fault);
        }
        let pages = self.log.pages();
        if pages < self.last {
            self.due = self.threshold;
        }
        self.last = pages;
        if self.log.bulk_moved.swap(false, Ordering::Acquire) {
            // A reader may still need the old log; the next attempt follows when the log has grown by a quarter of
            // the threshold.
            self.due = pages + self.threshold.div_ceil(4);
            self.requested = false;
            self.warn_long_log(pages);
            let moved = match self.shared.erasure.wants_empty_log() {
                true => self.truncate_log(connection),
                false => self.move_rest(connection, self.keep_bytes),
            };
            if let Err(failure) = moved {
                tracing::warn!(path = %self.shared.files.path().display(), error = %failure, "the log could not be moved to the data file");
                if failure.needs_reopen {
                    return Err(failure);
                }
            }
        } else if (pages >= self.due || self.shared.erasure.wants_empty_log()) && !self.requested {
            self.requested = self.requests.send(CheckpointRequest::MovePages).is_ok();
        }
        Ok(())
    }

    /// Moves the pages that the thread has left. When all pages are moved, the next commit restarts the log and
    /// truncates its file by at most [`CUT_BYTES`], but not below `keep_bytes`.
    fn move_rest(&self, connection: &Connection, keep_bytes: u64) -> Result<(), SqliteFailure> {
        self.log.checkpoint(connection, &self.shared)?;
        let bytes = self.shared.files.sizes().1.unwrap_or(0);
        let limit = keep_bytes.max(bytes.saturating_sub(CUT_BYTES));
        connection.pragma_update(None, "journal_size_limit", i64::try_from(limit).unwrap_or(i64::MAX))?;
        Ok(())
    }

    /// Moves the whole log to the data file and truncates the log, so that it contains no removed content. Does not
    /// wait for readers. Then continues with erasing removed content from the data file.
    ///
    /// A file of more than [`CUT_BYTES`] loses one part at a time, and the next request continues. SQLite cuts a part
    /// when a commit restarts the log, so this makes a commit: the store may have no other one to write.
    fn truncate_log(&mut self, connection: &Connection) -> Result<(), SqliteFailure> {
        self.shared.erasure.note_attempt(false);
        self.shared.files.check()?;
        if self.shared.files.sizes().1.is_some_and(|bytes| bytes > CUT_BYTES) {
            self.move_rest(connection, 0)?;
            return ErasureState::rewrite_mark(connection);
        }
        let waiting = connection.query_row("PRAGMA busy_timeout", [], |row| row.get::<_, u32>(0))?;
        connection.busy_timeout(Duration::ZERO)?;
        let blocked = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0));
        connection.busy_timeout(Duration::from_millis(waiting.into()))?;
        let emptied = !blocked?;
        if emptied {
            // A log without frames: what was acknowledged is in the synced data file.
            self.log.note_pages(0);
        }
        let done = emptied && self.gaps.run_step(connection)?;
        self.shared.erasure.note_attempt(done);
        Ok(())
    }

    /// Logs that the log is long, at most once a minute.
    fn warn_long_log(&mut self, pages: usize) {
        let Some(bytes) = self.shared.files.sizes().1.filter(|bytes| *bytes > self.warn_bytes) else { return };
        if pages < self.threshold || self.warned.is_some_and(|last| last.elapsed() < WARN_EVERY) {
            return;
        }
        self.warned = Some(Instant::now());
        tracing::warn!(
            path = %self.shared.files.path().display(), bytes, limit = self.warn_bytes,
            "the write-ahead log grows, because a read transaction of another program or a long read holds it; end that one"
        );
    }
}

impl WalState {
    /// Notes the number of pages in the log, after a commit or after the log was emptied. Every commit adds pages, so
    /// the log has restarted when it did not grow. No page of the new log is in the data file yet, even when it is as
    /// long as the log that was moved.
    pub(super) fn note_pages(&self, pages: usize) {
        if pages <= self.pages.swap(pages, Ordering::Relaxed) {
            let mut synced = self.synced();
            *synced = SyncedLog { pages: 0, restarts: synced.restarts + 1 };
        }
    }

    /// Returns the number of pages in the log, as of the last commit.
    pub(super) fn pages(&self) -> usize {
        self.pages.load(Ordering::Relaxed)
    }

    /// Returns the number of pages in the log, or 0 when all of them are known to be in the synced data file.
    fn pages_to_move(&self) -> usize {
        let pages = self.pages();
        if self.synced().pages == pages { 0 } else { pages }
    }

    /// Notes that a checkpoint moved all pages and synced the data file. `restarts` is the number of restarts when it
    /// began.
    fn note_all_moved(&self, pages: usize, restarts: u64) {
        let mut synced = self.synced();
        if synced.restarts == restarts {
            synced.pages = pages;
        }
    }

    fn synced(&self) -> MutexGuard<'_, SyncedLog> {
        self.synced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the fault that the thread met.
    fn take_fault(&self) -> Option<SqliteFailure> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Moves what can be moved beside readers and writers, if the files are still there.
    fn checkpoint(&self, connection: &Connection, shared: &StoreState) -> Result<CheckpointResult, SqliteFailure> {
        shared.files.check()?;
        let restarts = self.synced().restarts;
        let moved = run_checkpoint(connection, "PASSIVE")?;
        if moved.moved_frames == moved.frames {
            self.note_all_moved(moved.frames, restarts);
        }
        Ok(moved)
    }
}

fn run_thread(
    requests: &mpsc::Receiver<CheckpointRequest>,
    options: &SqliteOptions,
    shared: &Arc<StoreState>,
    log: &WalState,
) {
    let mut connection: Option<CountedConnection> = None;
    while let Ok(request) = requests.recv() {
        let moves = matches!(request, CheckpointRequest::MovePages);
        let done = match request {
            CheckpointRequest::CloseConnection(done) => {
                connection = None;
                let _ = done.send(());
                continue;
            }
            CheckpointRequest::OpenConnection => open(&mut connection, options, shared).map(|_| ()),
            CheckpointRequest::MovePages => open(&mut connection, options, shared)
                .and_then(|connection| move_bulk(connection, options, shared, log)),
        };
        if let Err(failure) = done {
            let path = shared.files.path().display();
            tracing::warn!(%path, error = %failure, "the log could not be moved to the data file; it is tried again");
            if failure.needs_reopen {
                *log.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
            }
        }
        if moves {
            log.bulk_moved.store(true, Ordering::Release);
        }
        shared.queue.nudge();
    }
}

fn open<'c>(
    connection: &'c mut Option<CountedConnection>,
    options: &SqliteOptions,
    shared: &Arc<StoreState>,
) -> Result<&'c Connection, SqliteFailure> {
    let counted = match connection {
        Some(counted) => counted,
        None => connection.insert(opening::open_checkpointer(shared, options)?),
    };
    counted.get()
}

/// Moves most pages. While a long log is moved, a thread syncs the data file at intervals.
fn move_bulk(
    connection: &Connection,
    options: &SqliteOptions,
    shared: &StoreState,
    log: &WalState,
) -> Result<(), SqliteFailure> {
    if log.pages() <= options.checkpoint_pages.saturating_mul(LONG) {
        return move_rounds(connection, options, shared, log);
    }
    let file = shared.data_file()?;
    thread::scope(|scope| {
        let (moving, moved) = mpsc::channel::<()>();
        let syncs =
            thread::Builder::new().name("sqlite-sync".to_owned()).spawn_scoped(scope, move || sync(file, &moved));
        let done = move_rounds(connection, options, shared, log);
        drop(moving);
        // When the thread could not be started, the checkpoint is still correct; only its last sync takes longer.
        let synced = syncs.map_or(Ok(Ok(())), thread::ScopedJoinHandle::join);
        done?;
        let panicked = |_| Err(io::Error::other("the thread that syncs the data file panicked"));
        synced.unwrap_or_else(panicked).map_err(|error| SqliteFailure::io(&error))
    })
}

/// Syncs the file at intervals until the other end of the channel is dropped, and then once more.
fn sync(file: &File, moved: &mpsc::Receiver<()>) -> io::Result<()> {
    while moved.recv_timeout(SYNC_EVERY) == Err(mpsc::RecvTimeoutError::Timeout) {
        file.sync_data()?;
    }
    file.sync_data()
}

fn move_rounds(
    connection: &Connection,
    options: &SqliteOptions,
    shared: &StoreState,
    log: &WalState,
) -> Result<(), SqliteFailure> {
    for _ in 0..MAX_ROUNDS {
        let moved = log.checkpoint(connection, shared)?;
        let left = log.pages().saturating_sub(moved.moved_frames);
        if left <= options.checkpoint_pages / REMAINDER_DIVISOR {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_log_as_long_as_the_moved_one_counts_as_not_moved() {
        let log = WalState::default();
        log.note_pages(5);
        assert_eq!(log.pages_to_move(), 5);
        log.note_all_moved(5, 0);
        assert_eq!(log.pages_to_move(), 0);
        log.note_pages(5);
        assert_eq!(log.pages_to_move(), 5);
        log.note_pages(0);
        assert_eq!(log.pages_to_move(), 0);
        log.note_pages(3);
        log.note_pages(5);
        assert_eq!(log.pages_to_move(), 5);
    }

    #[test]
    fn a_checkpoint_that_began_before_a_restart_does_not_count_for_the_new_log() {
        let log = WalState::default();
        log.note_pages(5);
        let restarts = log.synced().restarts;
        log.note_pages(5);
        log.note_all_moved(5, restarts);
        assert_eq!(log.pages_to_move(), 5);
        let restarts = log.synced().restarts;
        log.note_all_moved(5, restarts);
        assert_eq!(log.pages_to_move(), 0);
    }
}
