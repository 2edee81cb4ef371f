//! Opening the file: one process at a time, and only a file that is ours and whole.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::ErrorKind,
    path::Path,
    sync::Arc,
};

use engines_core::{Result, stream::LogId};
use rusqlite::{Connection, OpenFlags, config::DbConfig};

use super::{
    connections::CountedConnection,
    error::{SqliteFailure, open_error},
    files::{FileIdentity, LOG_SUFFIX, WatchedFiles, sibling_path},
    options::SqliteOptions,
    recovery::{self, RecoveryRequirements},
    schema, startup_checks,
    store::StoreState,
};

/// Prepared statements each connection keeps.
const CACHED_STATEMENTS: usize = 64;

/// An opened file, and the lock that keeps other processes out for as long as it lives.
#[derive(Debug)]
pub(super) struct OpenedFile {
    pub(super) writer: Connection,
    pub(super) log: LogId,
    pub(super) lock: File,
    /// The files as they are open.
    pub(super) files: WatchedFiles,
    /// The data file was not closed cleanly and is too large to be checked before it is used.
    pub(super) needs_check: bool,
}

/// Takes the lock, opens or makes the file, and brings it to today's schema.
pub(super) fn open(path: &Path, options: &SqliteOptions) -> Result<OpenedFile> {
    let lock = lock_file(&sibling_path(path, ".lock"))?;
    startup_checks::make_private(path);
    startup_checks::check_files(path, options)?;
    let unusable = |error: std::io::Error| {
        open_error(format!("the data file {} or its log cannot be used: {error}", path.display()))
    };
    // SQLite opens the file by its name. That it has opened the one that is watched is known when the name leads to the same file
    // before and after.
    match startup_checks::owner_only(OpenOptions::new().create_new(true).write(true)).open(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(unusable(error)),
        _ => {}
    }
    let files = WatchedFiles::new(path, FileIdentity::of_path(path).map_err(unusable)?, &lock).map_err(unusable)?;
    let left = std::fs::metadata(sibling_path(path, LOG_SUFFIX)).is_ok_and(|log| log.len() > 0);
    if left {
        recover_log(path, options).map_err(|failure| schema::opening_error(failure, path))?;
    }
    let mut writer = open_writer(path, options).map_err(|failure| schema::opening_error(failure, path))?;
    let log = schema::migrate(&mut writer, options.ids.as_ref(), path)?;
    startup_checks::write_marker(path);
    files.remember().map_err(unusable)?;
    files.check().map_err(|failure| schema::opening_error(failure, path))?;
    let small = std::fs::metadata(path).is_ok_and(|file| file.len() <= options.check_bytes);
    if left {
        tracing::info!(path = %path.display(), checked = small, "the data file was not closed cleanly; its log was taken up");
    }
    if left && small {
        check_file(&writer, path)?;
    }
    if options.rebuild {
        enable_incremental_vacuum(&writer).map_err(|failure| schema::opening_error(failure, path))?;
    }
    Ok(OpenedFile { writer, log, lock, files, needs_check: left && !small })
}

/// A file that another process may write to, opened for reading alone.
#[derive(Debug)]
pub(super) struct ReadOnlyFile {
    pub(super) log: LogId,
    pub(super) files: WatchedFiles,
}

/// Looks at the file without changing it and without the lock. It must be of today's schema.
pub(super) fn open_beside(path: &Path, options: &SqliteOptions) -> Result<ReadOnlyFile> {
    let unusable = |error: std::io::Error| {
        open_error(format!("the data file {} or its lock file cannot be used: {error}", path.display()))
    };
    let failed = |failure: SqliteFailure| schema::opening_error(failure, path);
    let data = FileIdentity::of_path(path).map_err(unusable)?;
    let lock = OpenOptions::new().create(true).truncate(false).write(true).open(sibling_path(path, ".lock"));
    let files = WatchedFiles::new(path, data, &lock.map_err(unusable)?).map_err(unusable)?;
    let connection = connect(path, options).map_err(failed)?;
    connection.pragma_update(None, "query_only", true).map_err(|error| failed(error.into()))?;
    let log = schema::check_and_read_log_id(&connection, path)?;
    files.check().map_err(failed)?;
    Ok(ReadOnlyFile { log, files })
}

/// Whether another process holds the lock.
pub(super) fn is_in_use(path: &Path) -> Result<bool> {
    let path = sibling_path(path, ".lock");
    let unusable =
        |error: std::io::Error| open_error(format!("the lock file {} cannot be used: {error}", path.display()));
    let file = match File::open(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        opened => opened.map_err(unusable)?,
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(unusable(error)),
    }
}

/// Moves what an unclean end has left in the log into the data file. The process before may have ended because the disk failed; see
/// [`recovery`].
fn recover_log(path: &Path, options: &SqliteOptions) -> Result<(), SqliteFailure> {
    match recovery::recover_data_file(path, options, RecoveryRequirements { min_frames: 0, check_file: false }) {
        Err(failure) if failure.is_busy() => {
            // The other program only reads, so that it is not disturbed. It keeps the index of the log, so that SQLite does not read
            // the log from its first frame.
            tracing::warn!(
                path = %path.display(),
                "another program has the data file open while the log of an unclean end is taken up; close it before a restart"
            );
            recovery::rewrite_log(&sibling_path(path, LOG_SUFFIX))
        }
        replayed => replayed,
    }
}

fn lock_file(path: &Path) -> Result<File> {
    let unusable = |error: &std::io::Error| {
        open_error(format!("the lock file {} cannot be used: {error}; create the folder first", path.display()))
    };
    let file = startup_checks::owner_only(OpenOptions::new().create(true).truncate(false).write(true))
        .open(path)
        .map_err(|error| unusable(&error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(open_error(format!(
            "the data file is in use by another process (which holds {}); stop that one, or choose another path",
            path.display()
        ))),
        Err(TryLockError::Error(error)) => Err(unusable(&error)),
    }
}

/// A connection that writes: every commit is on disk when it returns. Checkpoints are ours to make.
pub(super) fn open_writer(path: &Path, options: &SqliteOptions) -> Result<Connection, SqliteFailure> {
    let connection = connect(path, options)?;
    connection.pragma_update(None, "journal_size_limit", i64::try_from(options.log_keep_bytes).unwrap_or(i64::MAX))?;
    // Takes effect for a new file, and for an older one when it is rebuilt.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    connection.pragma_update(None, "secure_delete", options.secure_delete)?;
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if !mode.eq_ignore_ascii_case("wal") {
        return Err(
            rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN), None).into()
        );
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    // References are always to rows this program has just made; checking each again costs a look-up per write.
    connection.pragma_update(None, "foreign_keys", false)?;
    Ok(connection)
}

/// A connection that reads.
pub(super) fn open_reader(
    shared: &Arc<StoreState>,
    options: &SqliteOptions,
) -> Result<CountedConnection, SqliteFailure> {
    open_counted(shared, || {
        let connection = connect(shared.files.path(), options)?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    })
}

/// The connection that moves the log's pages to the data file.
pub(super) fn open_checkpointer(
    shared: &Arc<StoreState>,
    options: &SqliteOptions,
) -> Result<CountedConnection, SqliteFailure> {
    open_counted(shared, || {
        let connection = connect(shared.files.path(), options)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        // What SQLite has to read before it can move pages; the descriptors are open from here on.
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        Ok(connection)
    })
}

/// Opens a connection beside others. The files are compared before, because SQLite truncates the index of the log, which the others
/// have mapped, when it is opened for another data file; and after, because the name may have changed in between.
fn open_counted(
    shared: &Arc<StoreState>,
    open: impl FnOnce() -> Result<Connection, SqliteFailure>,
) -> Result<CountedConnection, SqliteFailure> {
    shared.connections.open(|| {
        shared.files.check()?;
        let connection = open()?;
        shared.files.check()?;
        Ok(connection)
    })
}

fn connect(path: &Path, options: &SqliteOptions) -> Result<Connection, SqliteFailure> {
    // Not SQLITE_OPEN_READ_ONLY: a reader may have to make the shared-memory index of the log. Not SQLITE_OPEN_CREATE: a file that is
    // gone must not be replaced by an empty one.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    // The store itself decides when the log is moved to the data file: after a fault of the disk that must not happen by the way.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.busy_timeout(options.busy_timeout)?;
    connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    // Plans must not depend on what is bound: else a statement is compiled anew for each value it is run with.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    let kibibytes = i64::try_from(options.page_cache_bytes / 1024).unwrap_or(i64::MAX);
    connection.pragma_update(None, "cache_size", -kibibytes)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(connection)
}

/// Rebuilds a file that cannot give freed space back.
fn enable_incremental_vacuum(connection: &Connection) -> Result<(), SqliteFailure> {
    const INCREMENTAL: i64 = 2;
    if connection.pragma_query_value(None, "auto_vacuum", |row| row.get::<_, i64>(0))? != INCREMENTAL {
        tracing::info!("the data file is rebuilt, so that it can give freed space back");
        connection.execute_batch("VACUUM")?;
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    }
    Ok(())
}

fn check_file(connection: &Connection, path: &Path) -> Result<()> {
    let verdict: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(|error| schema::opening_error(error.into(), path))?;
    if verdict == "ok" {
        return Ok(());
    }
    Err(open_error(format!("the data file {} is damaged (quick_check); restore it from a backup", path.display())))
}
