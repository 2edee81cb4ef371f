//! Opens the data file: for one process at a time, and only when the file belongs to the store and is not damaged.

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
    state::StoreState,
};

/// Number of prepared statements that each connection caches.
const CACHED_STATEMENTS: usize = 64;

/// An opened data file with its lock, which keeps other processes out until it is dropped.
#[derive(Debug)]
pub(super) struct OpenedFile {
    pub(super) writer: Connection,
    pub(super) log: LogId,
    pub(super) lock: File,
    /// The identities of the open files.
    pub(super) files: WatchedFiles,
    /// Whether the data file was not closed cleanly and is too large to be checked before use.
    pub(super) needs_check: bool,
}

/// Takes the lock, opens or creates the file, and migrates it to the current schema.
pub(super) fn open(path: &Path, options: &SqliteOptions) -> Result<OpenedFile> {
    let lock = lock_file(&sibling_path(path, ".lock"))?;
    startup_checks::make_private(path);
    startup_checks::check_files(path, options)?;
    let unusable = |error: std::io::Error| {
        open_error(format!("the data file {} or its log cannot be used: {error}", path.display()))
    };
    // SQLite opens the file by name. The file it opened is the watched one if the name refers to the same file before
    // and after.
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
        tracing::info!(path = %path.display(), checked = small, "the data file was not closed cleanly; its log was recovered");
    }
    if left && small {
        check_file(&writer, path)?;
    }
    if options.rebuild {
        enable_incremental_vacuum(&writer).map_err(|failure| schema::opening_error(failure, path))?;
    }
    Ok(OpenedFile { writer, log, lock, files, needs_check: left && !small })
}

/// A data file that is open for reading only, while another process may write to it.
#[derive(Debug)]
pub(super) struct ReadOnlyFile {
    pub(super) log: LogId,
    pub(super) files: WatchedFiles,
}

/// Opens the file without changing it and without the lock. It must have the current schema.
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

/// Returns whether another process holds the lock.
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

/// Moves what an unclean end has left in the log to the data file. The previous process may have ended because of a
/// disk fault; see [`recovery`].
fn recover_log(path: &Path, options: &SqliteOptions) -> Result<(), SqliteFailure> {
    match recovery::recover_data_file(path, options, RecoveryRequirements { min_frames: 0, check_file: false }) {
        Err(failure) if failure.is_busy() => {
            // The other program only reads, so this does not disturb it. It keeps the index of the log open, so
            // SQLite does not read the log from its first frame.
            tracing::warn!(
                path = %path.display(),
                "another program has the data file open during the recovery of its log; close it before a restart"
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

/// Opens the connection that writes. Every commit is on disk when it returns. The store makes the checkpoints itself.
pub(super) fn open_writer(path: &Path, options: &SqliteOptions) -> Result<Connection, SqliteFailure> {
    let connection = connect(path, options)?;
    connection.pragma_update(None, "journal_size_limit", i64::try_from(options.log_keep_bytes).unwrap_or(i64::MAX))?;
    // Takes effect for a new file, and for an existing one when it is rebuilt.
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
    // References always point to rows that the store has just created; checking each costs a look-up per write.
    connection.pragma_update(None, "foreign_keys", false)?;
    Ok(connection)
}

/// Opens a connection that reads.
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

/// Opens the connection that moves pages of the log to the data file.
pub(super) fn open_checkpointer(
    shared: &Arc<StoreState>,
    options: &SqliteOptions,
) -> Result<CountedConnection, SqliteFailure> {
    open_counted(shared, || {
        let connection = connect(shared.files.path(), options)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        // SQLite has to read the schema before it can move pages. The descriptors are open from here on.
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        Ok(connection)
    })
}

/// Opens a connection beside others. The files are compared before, because SQLite truncates the index of the log,
/// which the other connections have mapped, when it opens another data file; and after, because the name may have
/// been changed in between.
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
    // Not SQLITE_OPEN_READ_ONLY: a reader may have to create the shared-memory index of the log. Not
    // SQLITE_OPEN_CREATE: a missing file must not be replaced by an empty one.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    // The store decides when the log is moved to the data file: closing a connection after a disk fault must not do
    // it.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.busy_timeout(options.busy_timeout)?;
    connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    // Query plans must not depend on bound values; otherwise a statement is compiled again for each value.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    let kibibytes = i64::try_from(options.page_cache_bytes / 1024).unwrap_or(i64::MAX);
    connection.pragma_update(None, "cache_size", -kibibytes)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(connection)
}

/// Rebuilds a file that cannot release free pages.
fn enable_incremental_vacuum(connection: &Connection) -> Result<(), SqliteFailure> {
    const INCREMENTAL: i64 = 2;
    if connection.pragma_query_value(None, "auto_vacuum", |row| row.get::<_, i64>(0))? != INCREMENTAL {
        tracing::info!("the data file is rebuilt, so that it can release free space");
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
