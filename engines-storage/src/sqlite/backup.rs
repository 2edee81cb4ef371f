//! Copies the data file while it is in use, and turns a copy into a data file with its own log id.
//!
//! The copy is made page by page within one read transaction, so that writes of other connections do not invalidate
//! it. SQLite's backup API restarts whenever another connection writes, and `VACUUM INTO` rebuilds every tree while
//! the write-ahead log grows, at a speed that cannot be limited. While the read transaction is open, the write-ahead
//! log cannot restart, so it grows by everything that is written. The copy therefore runs at full speed once the log
//! has reached half of its limit, and fails when the log has reached the limit.

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, TryLockError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use engines_core::{
    Code, Error, Result, Scope, TenantId,
    nexus::{BackupFiles, BackupPosition, BackupSource, CopyLimits, ScopePosition},
    stream::LogId,
};
use rusqlite::{
    Connection, OpenFlags,
    backup::{Backup, StepResult},
};
use tokio_util::sync::CancellationToken;

use super::{
    checkpoint::WalState, error::SqliteFailure, opening, options::SqliteOptions, schema, scopes::AUDIT_BITS,
    state::StoreState,
};

const OPERATION: &str = "sqlite.backup";
/// The name of the data file in a backup.
pub(crate) const BACKUP_FILE: &str = "engines.db";
/// The name of the backup source.
pub(crate) const SOURCE_NAME: &str = "store";
/// Number of pages copied at a time: 256 KiB, so that each pause is short.
const STEP_PAGES: i32 = 64;
/// Number of bytes written to the copy before they are synced. On ext4 a commit's `fsync` of the log may have to wait
/// for all dirty pages of the copy.
const SYNC_BYTES: u64 = 8 << 20;
/// Maximum duration of one pause.
const MAX_PAUSE: Duration = Duration::from_millis(50);
/// Size of a page in the write-ahead log, with its header.
const LOG_FRAME_BYTES: u64 = 4096 + 24;
/// Page cache of the copy's connection, in KiB.
const COPY_CACHE_KIB: i64 = 4096;

/// Makes copies of a store's data file.
#[derive(Debug)]
pub(super) struct BackupCopier {
    shared: Arc<StoreState>,
    options: SqliteOptions,
    log: Arc<WalState>,
    /// Set when the store is closed.
    stop: CancellationToken,
    /// Locked while a copy is made.
    running: Arc<Mutex<()>>,
}

impl BackupCopier {
    pub(super) fn new(shared: &Arc<StoreState>, options: &SqliteOptions, log: Arc<WalState>) -> Self {
        Self {
            shared: Arc::clone(shared),
            options: options.clone(),
            log,
            stop: CancellationToken::new(),
            running: Arc::default(),
        }
    }

    /// Stops a copy in progress and returns when it has stopped.
    pub(super) fn stop(&self) {
        self.stop.cancel();
        drop(self.running.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

#[async_trait]
impl BackupSource for BackupCopier {
    fn name(&self) -> &str {
        SOURCE_NAME
    }

    async fn back_up(&self, files: &mut dyn BackupFiles, limits: CopyLimits) -> Result<Option<BackupPosition>> {
        let target = files.local_path(BACKUP_FILE)?;
        let stop = self.stop.child_token();
        let copy = CopyTask {
            shared: Arc::clone(&self.shared),
            target,
            options: self.options.clone(),
            limits,
            log: Arc::clone(&self.log),
            stop: stop.clone(),
        };
        let running = Arc::clone(&self.running);
        // The copy also stops when this future is dropped.
        let _stop_on_drop = stop.drop_guard();
        let copied = tokio::task::spawn_blocking(move || {
            let _running = match running.try_lock() {
                Ok(running) => running,
                // A copy that panicked has left only its unfinished file.
                Err(TryLockError::Poisoned(running)) => running.into_inner(),
                Err(TryLockError::WouldBlock) => return Err(already_running()),
            };
            copy.run()
        });
        let position = copied.await.map_err(|error| Error::internal(OPERATION, error))??;
        files.add_local(BACKUP_FILE).await?;
        Ok(Some(position))
    }
}

fn already_running() -> Error {
    Error::new(Code::AlreadyExists, OPERATION, "a backup of this store is being made; wait until it has ended")
}

/// One copy in progress.
struct CopyTask {
    shared: Arc<StoreState>,
    target: PathBuf,
    options: SqliteOptions,
    limits: CopyLimits,
    log: Arc<WalState>,
    stop: CancellationToken,
}

impl CopyTask {
    fn run(&self) -> Result<BackupPosition> {
        self.check_stopped()?;
        self.copy_pages()?;
        let failed = copy_error(&self.target);
        let copy = open_copy(&self.target).map_err(&failed)?;
        let position = copy_position(&copy, &self.target)?;
        copy.close().map_err(|(_, error)| failed(error.into()))?;
        sync_file(&self.target)?;
        Ok(position)
    }

    fn copy_pages(&self) -> Result<()> {
        let unread = |error: rusqlite::Error| copy_error(self.shared.files.path())(error.into());
        let unwritten = |error: rusqlite::Error| copy_error(&self.target)(error.into());
        // Opened as one of the store's connections, so that a recovery of the store interrupts the copy and waits for
        // it.
        let source = opening::open_reader(&self.shared, &self.options).map_err(copy_error(self.shared.files.path()))?;
        let source = source.get().map_err(copy_error(self.shared.files.path()))?;
        let mut target = Connection::open(&self.target).map_err(unwritten)?;
        // An unfinished copy is discarded, so it needs no journal. It is synced while it grows.
        target.pragma_update(None, "journal_mode", "OFF").map_err(unwritten)?;
        target.pragma_update(None, "synchronous", "OFF").map_err(unwritten)?;
        target.pragma_update(None, "cache_size", -COPY_CACHE_KIB).map_err(unwritten)?;
        let written =
            File::options().write(true).open(&self.target).map_err(|error| write_error(&self.target, error))?;

        // The first read takes the snapshot, which is kept until the end of the transaction.
        source.execute_batch("BEGIN").map_err(unread)?;
        let page_bytes: i64 = source.pragma_query_value(None, "page_size", |row| row.get(0)).map_err(unread)?;
        source.query_row("SELECT count(*) FROM meta", [], |_| Ok(())).map_err(unread)?;
        let (begin, log_begin) = (Instant::now(), self.log_bytes());
        let step_bytes = u64::try_from(page_bytes).unwrap_or(4096) * STEP_PAGES.unsigned_abs() as u64;
        let (mut copied, mut synced) = (0, 0);
        {
            let backup = Backup::new(source, &mut target).map_err(unread)?;
            loop {
                match backup.step(STEP_PAGES).map_err(unread)? {
                    StepResult::Done => break,
                    StepResult::More => copied += step_bytes,
                    // No other connection has the copy open and the source is a snapshot, so SQLITE_BUSY and
                    // SQLITE_LOCKED are brief.
                    _ => std::thread::sleep(Duration::from_millis(1)),
                }
                if copied - synced >= SYNC_BYTES {
                    written.sync_data().map_err(|error| write_error(&self.target, error))?;
                    synced = copied;
                }
                self.check_stopped()?;
                let log = self.log_bytes().saturating_sub(log_begin);
                self.check_log(log)?;
                self.pause(begin, copied, log)?;
            }
        }
        source.execute_batch("COMMIT").map_err(unread)?;
        target.close().map_err(|(_, error)| unwritten(error))?;
        written.sync_all().map_err(|error| write_error(&self.target, error))
    }

    fn log_bytes(&self) -> u64 {
        self.log.pages() as u64 * LOG_FRAME_BYTES
    }

    fn check_stopped(&self) -> Result<()> {
        if let Some(failure) = self.shared.connections.refusal() {
            return Err(copy_error(self.shared.files.path())(failure));
        }
        match self.stop.is_cancelled() {
            true => Err(Error::new(
                Code::ShuttingDown,
                OPERATION,
                "the backup was stopped before its end and is not listed; a later backup removes its files",
            )),
            false => Ok(()),
        }
    }

    fn check_log(&self, log: u64) -> Result<()> {
        if self.limits.log_bytes == 0 || log <= self.limits.log_bytes {
            return Ok(());
        }
        let detail = "the write-ahead log grew past its limit (backup.log_bytes) while the data file was copied; back up when less is \
                      written, copy faster (backup.bytes_per_s) or raise the limit";
        Err(Error::new(Code::BackendUnavailable, OPERATION, detail).with_member("log_bytes", log))
    }

    /// Waits until the average speed of the copy is within the limit.
    fn pause(&self, begin: Instant, copied: u64, log: u64) -> Result<()> {
        let hurry = self.limits.log_bytes > 0 && log > self.limits.log_bytes / 2;
        if self.limits.bytes_per_s == 0 || hurry {
            return Ok(());
        }
        let due = Duration::from_secs_f64(copied as f64 / self.limits.bytes_per_s as f64);
        while let Some(left) = due.checked_sub(begin.elapsed()).filter(|left| !left.is_zero()) {
            std::thread::sleep(left.min(MAX_PAUSE));
            self.check_stopped()?;
        }
        Ok(())
    }
}

/// Converts a failure of SQLite with a file to an error for the caller.
fn copy_error(path: &Path) -> impl Fn(SqliteFailure) -> Error {
    move |failure| failure.into_error(OPERATION, path)
}

/// Opens a copy that no other connection has open, without a write-ahead log: the copy is a single file, which any
/// tool can read.
fn open_copy(path: &Path) -> Result<Connection, SqliteFailure> {
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(connection)
}

/// Reads the log position of a copy, which may have an older schema: there the key of `audit` has another name, but it
/// is always the `rowid`.
fn copy_position(copy: &Connection, path: &Path) -> Result<BackupPosition> {
    let failed = |error: rusqlite::Error| copy_error(path)(error.into());
    let log_id = schema::log_id(copy, path)?.ok_or_else(|| Error::internal(OPERATION, "the copy has no log id"))?;
    let feed: i64 = copy
        .query_row("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'dataset_events'", [], |row| {
            row.get(0)
        })
        .map_err(failed)?;
    const SQL: &str = "SELECT tenant, env, events, \
                         (SELECT coalesce(max(rowid), scope_id << ?1) - (scope_id << ?1) FROM audit \
                           WHERE rowid > scope_id << ?1 AND rowid < (scope_id + 1) << ?1), \
                         (SELECT count(*) FROM streams WHERE streams.scope_id = scopes.scope_id), \
                         (SELECT coalesce(sum(head), 0) FROM streams WHERE streams.scope_id = scopes.scope_id) \
                       FROM scopes ORDER BY tenant, env";
    let mut statement = copy.prepare(SQL).map_err(failed)?;
    let rows = statement
        .query_map([AUDIT_BITS], |row| {
            let number = |at| row.get::<_, i64>(at).map(i64::unsigned_abs);
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, number(2)?, number(3)?, number(4)?, number(5)?))
        })
        .map_err(failed)?;
    let mut scopes = Vec::new();
    for row in rows {
        let (tenant, env, events, audit, streams, appended) = row.map_err(failed)?;
        let scope = Scope::new(TenantId::new(tenant)?, env.parse()?);
        scopes.push(ScopePosition { scope, events, audit, streams, appended });
    }
    Ok(BackupPosition { log_id, feed: feed.unsigned_abs(), scopes })
}

/// Checks a whole copy (`PRAGMA integrity_check`) and returns its log position.
///
/// # Errors
///
/// `BACKEND_UNAVAILABLE` when the copy is damaged, is not a data file, or has a newer schema.
pub(crate) fn check_copy(path: &Path) -> Result<BackupPosition> {
    let opening = |failure| schema::opening_error(failure, path);
    let copy = open_copy(path).map_err(opening)?;
    schema::check_version(&copy, path)?;
    let verdict: String =
        copy.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(|error| opening(error.into()))?;
    if verdict != "ok" {
        let detail = "the copy of the data file is damaged (integrity_check); use another backup";
        return Err(Error::new(Code::BackendUnavailable, OPERATION, detail));
    }
    copy_position(&copy, path)
}

/// Gives a copy its own log id. The copy may continue differently from the log it was copied from, so a cursor of
/// that log must not be accepted here.
pub(crate) fn adopt_copy(path: &Path, log_id: LogId, backup: &str) -> Result<()> {
    let failed = |error: rusqlite::Error| copy_error(path)(error.into());
    let mut copy = open_copy(path).map_err(|failure| schema::opening_error(failure, path))?;
    let step = copy.transaction().map_err(failed)?;
    schema::set_log_id(&step, log_id, path)?;
    step.execute("INSERT OR REPLACE INTO meta (name, value) VALUES ('restored_from', ?1)", [backup]).map_err(failed)?;
    step.commit().map_err(failed)?;
    copy.close().map_err(|(_, error)| failed(error))?;
    sync_file(path)
}

/// Returns the version of the schema that this program writes.
pub(crate) fn schema_version() -> u32 {
    schema::version()
}

fn sync_file(path: &Path) -> Result<()> {
    File::open(path).and_then(|file| file.sync_all()).map_err(|error| write_error(path, error))
}

fn write_error(path: &Path, error: std::io::Error) -> Error {
    let detail = format!("the copy {} cannot be written: {error}; the backup is not listed", path.display());
    Error::new(Code::BackendUnavailable, OPERATION, detail).with_source(error)
}
