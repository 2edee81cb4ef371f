//! Opening the file: one process at a time, and only a file that is ours and whole.

use std::{
    ffi::OsString,
    fs::{File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
};

use engines_core::{Result, stream::LogId};
use rusqlite::{Connection, OpenFlags, config::DbConfig};

use super::{
    error::{Failure, cannot_open},
    options::SqliteOptions,
    schema,
};

/// Prepared statements each connection keeps.
const STATEMENTS: usize = 64;

/// An opened file, and the lock that keeps other processes out for as long as it lives.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) writer: Connection,
    pub(super) log: LogId,
    pub(super) lock: File,
}

/// Takes the lock, opens or makes the file, and brings it to today's schema.
pub(super) fn open(path: &Path, options: &SqliteOptions) -> Result<Opened> {
    let lock = lock(&beside(path, ".lock"))?;
    let left = std::fs::metadata(beside(path, "-wal")).is_ok_and(|log| log.len() > 0);
    let mut writer = writer(path, options).map_err(schema::opening)?;
    let log = schema::migrate(&mut writer, options.ids.as_ref())?;
    let small = std::fs::metadata(path).is_ok_and(|file| file.len() <= options.check_bytes);
    if left {
        tracing::info!(checked = small, "the data file was not closed cleanly; its log is taken up");
    }
    if left && small {
        check(&writer)?;
    }
    if options.rebuild {
        rebuild(&writer).map_err(schema::opening)?;
    }
    Ok(Opened { writer, log, lock })
}

/// `path` with `suffix` behind its name.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

fn lock(path: &Path) -> Result<File> {
    let unusable = |error: &std::io::Error| {
        cannot_open(format!("the lock file {} cannot be used: {error}; create the folder first", path.display()))
    };
    let file =
        OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(|error| unusable(&error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(cannot_open(format!(
            "the data file is in use by another process (which holds {}); stop that one, or choose another path",
            path.display()
        ))),
        Err(TryLockError::Error(error)) => Err(unusable(&error)),
    }
}

/// A connection that writes: every commit is on disk when it returns. Checkpoints are ours to make.
pub(super) fn writer(path: &Path, options: &SqliteOptions) -> Result<Connection, Failure> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = connect(path, flags, options)?;
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
pub(super) fn reader(path: &Path, options: &SqliteOptions) -> Result<Connection, Failure> {
    // Not SQLITE_OPEN_READ_ONLY: a reader may have to make the shared-memory index of the log.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = connect(path, flags, options)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// The connection that moves the log's pages to the data file.
pub(super) fn checkpointer(path: &Path, options: &SqliteOptions) -> Result<Connection, Failure> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX, options)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    Ok(connection)
}

fn connect(path: &Path, flags: OpenFlags, options: &SqliteOptions) -> Result<Connection, Failure> {
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(options.busy_timeout)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Plans must not depend on what is bound: else a statement is compiled anew for each value it is run with.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    let kibibytes = i64::try_from(options.page_cache_bytes / 1024).unwrap_or(i64::MAX);
    connection.pragma_update(None, "cache_size", -kibibytes)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(connection)
}

/// Rebuilds a file that cannot give freed space back.
fn rebuild(connection: &Connection) -> Result<(), Failure> {
    const INCREMENTAL: i64 = 2;
    if connection.pragma_query_value(None, "auto_vacuum", |row| row.get::<_, i64>(0))? != INCREMENTAL {
        tracing::info!("the data file is rebuilt, so that it can give freed space back");
        connection.execute_batch("VACUUM")?;
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    }
    Ok(())
}

fn check(connection: &Connection) -> Result<()> {
    let verdict: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(|error| schema::opening(error.into()))?;
    if verdict == "ok" {
        return Ok(());
    }
    Err(cannot_open("the data file is damaged (quick_check); restore it from a copy".to_owned()))
}
