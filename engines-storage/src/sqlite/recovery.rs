//! Restores the data file from its log, after a disk fault and after an unclean end.
//!
//! A failed `fsync` leaves pages in the kernel's cache that are marked as written and are not on disk; another
//! `fsync` succeeds without writing them. A later successful `fsync` therefore proves nothing about data that was
//! written before the fault: that data has to be written again. `docs/design/0003-io-faults.md` has the reasoning.
//!
//! Recovery requires every connection of the process to be closed. It uses connections in exclusive locking mode, in
//! which SQLite keeps the log's index in memory instead of in the `-shm` file: it reads the log from its first frame,
//! does not know which frames were moved to the data file before, and fails when another process has the file open.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{ErrorKind, Read, Seek, SeekFrom, Write},
    path::Path,
};

use rusqlite::{Connection, OpenFlags, config::DbConfig};

use super::{
    checkpoint_pragma::run_checkpoint,
    error::SqliteFailure,
    files::{LOG_SUFFIX, sibling_path},
    options::SqliteOptions,
};
use crate::durable_fs::sync_parent;

/// Number of bytes of the log that are rewritten at a time.
const CHUNK_BYTES: usize = 1 << 20;
/// Sizes of the log's header and of each frame's header (<https://sqlite.org/fileformat2.html#the_write_ahead_log>).
const LOG_HEADER_BYTES: u64 = 32;
const FRAME_HEADER_BYTES: u64 = 24;

/// The log contains fewer frames than were acknowledged.
const FRAMES_MISSING: SqliteFailure = SqliteFailure::damaged(
    "the write-ahead log has lost transactions that were acknowledged; restore the data from a backup",
);
/// A page in the data file differs from the page that was just copied there.
const PAGE_DIFFERS: SqliteFailure = SqliteFailure::damaged(
    "the data file differs from what was written to it; replace the disk and restore the data from a backup",
);
/// The check of the data file failed, or SQLite found a malformed page.
const DATA_FILE_DAMAGED: SqliteFailure =
    SqliteFailure::damaged("the data file is damaged; restore the data from a backup");
/// SQLite deletes the log of an empty data file, so recovery must not start.
const EMPTY_DATA_FILE: SqliteFailure =
    SqliteFailure::damaged("the data file is empty and its log is not; put the data file back or restore a backup");

/// The conditions that the files must meet before the store continues.
#[derive(Debug, Clone, Copy)]
pub(super) struct RecoveryRequirements {
    /// Minimum number of frames in the log: those of acknowledged transactions that are only in the log.
    pub(super) min_frames: usize,
    /// Whether a data file of up to [`SqliteOptions::check_bytes`] is checked completely.
    pub(super) check_file: bool,
}

/// Rewrites the log, copies all of it to the data file, syncs the data file, and empties the log.
///
/// An error of the kind `Damaged` means that the files do not meet the requirements. After any other error recovery
/// may be tried again.
pub(super) fn recover_data_file(
    path: &Path,
    options: &SqliteOptions,
    wanted: RecoveryRequirements,
) -> Result<(), SqliteFailure> {
    let log = sibling_path(path, LOG_SUFFIX);
    let length = |path: &Path| match std::fs::metadata(path) {
        Ok(file) => Ok(file.len()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
        Err(error) => Err(SqliteFailure::io(&error)),
    };
    if length(path)? == 0 && length(&log)? > 0 {
        return Err(EMPTY_DATA_FILE);
    }
    // The guard keeps other programs from the log while it is rewritten. It is then closed, so that the second
    // connection reads the frames as they are now.
    let guard = open_exclusive(path, options)?;
    rewrite_log(&log)?;
    drop(guard);
    let connection = open_exclusive(path, options)?;
    let full = run_checkpoint(&connection, "FULL").map_err(as_damage)?;
    if full.frames < wanted.min_frames {
        return Err(FRAMES_MISSING);
    }
    if full.moved_frames < full.frames {
        return Err(still_open_error());
    }
    // Declared so that it is dropped after the connection: closing it releases the locks that SQLite holds on the
    // file.
    let data = File::open(path).map_err(|error| SqliteFailure::io(&error))?;
    let checked = compare_pages(&log, &data, full.frames).and_then(|()| {
        run_checkpoint(&connection, "TRUNCATE").map_err(as_damage)?;
        let small = length(path)? <= options.check_bytes;
        if wanted.check_file && small { quick_check(&connection) } else { Ok(()) }
    });
    drop(connection);
    drop(data);
    checked
}

/// Reads the log and writes the same bytes back, so that the kernel has to write all of them, and syncs them. The
/// content never changes, so a crash does no harm.
pub(super) fn rewrite_log(log: &Path) -> Result<(), SqliteFailure> {
    let failed = |error: std::io::Error| SqliteFailure::io(&error);
    let mut file = match OpenOptions::new().read(true).write(true).open(log) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut at = 0;
    loop {
        file.seek(SeekFrom::Start(at)).map_err(failed)?;
        let read = file.read(&mut chunk).map_err(failed)?;
        if read == 0 {
            break;
        }
        file.seek(SeekFrom::Start(at)).map_err(failed)?;
        file.write_all(&chunk[..read]).map_err(failed)?;
        at += read as u64;
    }
    file.sync_all().map_err(failed)?;
    sync_parent(log).map_err(failed)
}

/// Opens a connection in exclusive locking mode, with the log's index in memory.
fn open_exclusive(path: &Path, options: &SqliteOptions) -> Result<Connection, SqliteFailure> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || -> Result<Connection, rusqlite::Error> {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        connection.busy_timeout(options.busy_timeout)?;
        // Set before the file is read: SQLite decides where it keeps the index when it opens the log.
        connection.pragma_update_and_check(None, "locking_mode", "EXCLUSIVE", |_| Ok(()))?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        Ok(connection)
    };
    open().map_err(|error| as_damage(error.into()))
}

/// Compares the newest frame of each page in the log with the page in the data file.
fn compare_pages(log: &Path, mut data: &File, frames: usize) -> Result<(), SqliteFailure> {
    if frames == 0 {
        return Ok(());
    }
    let failed = |error: std::io::Error| SqliteFailure::io(&error);
    let mut log = File::open(log).map_err(failed)?;
    let mut header = [0; LOG_HEADER_BYTES as usize];
    log.read_exact(&mut header).map_err(failed)?;
    let page_size = match read_u32(&header, 8) {
        1 => 65_536,
        size => u64::from(size),
    };
    let start = |frame: u64| LOG_HEADER_BYTES + frame * (FRAME_HEADER_BYTES + page_size);
    let (mut newest, mut pages) = (BTreeMap::new(), 0);
    for frame in 0..frames as u64 {
        let mut header = [0; FRAME_HEADER_BYTES as usize];
        log.seek(SeekFrom::Start(start(frame))).map_err(failed)?;
        log.read_exact(&mut header).map_err(failed)?;
        newest.insert(read_u32(&header, 0), frame);
        // The last frame of each transaction has the size of the data file after it.
        if read_u32(&header, 4) > 0 {
            pages = read_u32(&header, 4);
        }
    }
    let size = usize::try_from(page_size).map_err(|_| DATA_FILE_DAMAGED)?;
    let (mut wanted, mut found) = (vec![0; size], vec![0; size]);
    for (page, frame) in newest.range(1..=pages) {
        log.seek(SeekFrom::Start(start(*frame) + FRAME_HEADER_BYTES)).map_err(failed)?;
        log.read_exact(&mut wanted).map_err(failed)?;
        data.seek(SeekFrom::Start(u64::from(page - 1) * page_size)).map_err(failed)?;
        match data.read_exact(&mut found) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Err(PAGE_DIFFERS),
            read => read.map_err(failed)?,
        }
        if wanted != found {
            return Err(PAGE_DIFFERS);
        }
    }
    Ok(())
}

/// Reads the big-endian number at this offset.
fn read_u32(bytes: &[u8], at: usize) -> u32 {
    bytes.iter().skip(at).take(4).fold(0, |number, byte| (number << 8) | u32::from(*byte))
}

fn quick_check(connection: &Connection) -> Result<(), SqliteFailure> {
    let verdict: String =
        connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(|error| as_damage(error.into()))?;
    if verdict == "ok" { Ok(()) } else { Err(DATA_FILE_DAMAGED) }
}

/// Marks a malformed file as damaged, because another attempt cannot succeed.
fn as_damage(failure: SqliteFailure) -> SqliteFailure {
    if failure.is_corruption() { DATA_FILE_DAMAGED } else { failure }
}

fn still_open_error() -> SqliteFailure {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY), None).into()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    const PAGE: u64 = 4096;

    /// Creates a data file and a log with frames of many pages, as an unclean end leaves them. `moved` also copies
    /// the frames to the data file, without a sync.
    fn left(folder: &Path, moved: bool) -> PathBuf {
        let (path, rows) = (folder.join("engines.db"), 200);
        let writer = Connection::open(&path).unwrap();
        writer.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
        writer.pragma_update(None, "journal_mode", "WAL").unwrap();
        writer.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
        writer.execute_batch("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)").unwrap();
        for row in 0..rows {
            writer.execute("INSERT INTO t VALUES (?1, ?2)", rusqlite::params![row, "x".repeat(1000)]).unwrap();
        }
        if moved {
            let moved = run_checkpoint(&writer, "PASSIVE").unwrap();
            assert_eq!(moved.moved_frames, moved.frames);
        }
        path
    }

    fn replay_of(path: &Path, frames: usize) -> Result<(), SqliteFailure> {
        let options = SqliteOptions { busy_timeout: std::time::Duration::from_millis(10), ..SqliteOptions::default() };
        recover_data_file(path, &options, RecoveryRequirements { min_frames: frames, check_file: true })
    }

    fn frames_of(path: &Path) -> usize {
        let length = std::fs::metadata(sibling_path(path, LOG_SUFFIX)).unwrap().len();
        usize::try_from((length - LOG_HEADER_BYTES) / (FRAME_HEADER_BYTES + PAGE)).unwrap()
    }

    fn overwrite(path: &Path, at: u64, bytes: &[u8]) {
        let mut file = OpenOptions::new().write(true).open(path).unwrap();
        file.seek(SeekFrom::Start(at)).unwrap();
        file.write_all(bytes).unwrap();
    }

    #[test]
    fn checkpointed_pages_that_were_lost_are_copied_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = left(folder.path(), true);
        let frames = frames_of(&path);
        // The data that the kernel drops after a failed sync: all pages but the first, and the end of the file.
        overwrite(&path, PAGE, &vec![0; 20 * PAGE as usize]);
        OpenOptions::new().write(true).open(&path).unwrap().set_len(30 * PAGE).unwrap();
        replay_of(&path, frames).unwrap();
        assert_eq!(std::fs::metadata(sibling_path(&path, LOG_SUFFIX)).unwrap().len(), 0, "the log is empty");
        let reader = Connection::open(&path).unwrap();
        let rows: (i64, i64) = reader
            .query_row("SELECT count(*), sum(length(b)) FROM t", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        assert_eq!(rows, (200, 200_000));
    }

    #[test]
    fn a_log_missing_acknowledged_frames_is_damage_and_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = left(folder.path(), false);
        let (log, frames) = (sibling_path(&path, LOG_SUFFIX), frames_of(&path));
        // One changed byte makes every later frame invalid.
        overwrite(&log, LOG_HEADER_BYTES + 100 * (FRAME_HEADER_BYTES + PAGE) + 50, b"?");
        let before = std::fs::read(&log).unwrap();
        assert_eq!(replay_of(&path, frames).unwrap_err().kind(), super::super::error::FailureKind::Damaged);
        assert_eq!(std::fs::read(&log).unwrap(), before);
    }

    #[test]
    fn a_damaged_page_that_is_not_in_the_log_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = left(folder.path(), false);
        replay_of(&path, 1).unwrap();
        overwrite(&path, 5 * PAGE, &[0xa5; 2000]);
        assert_eq!(replay_of(&path, 0).unwrap_err().kind(), super::super::error::FailureKind::Damaged);
    }

    #[test]
    fn the_log_of_an_empty_data_file_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = left(folder.path(), false);
        let before = std::fs::read(sibling_path(&path, LOG_SUFFIX)).unwrap();
        std::fs::write(&path, "").unwrap();
        assert_eq!(replay_of(&path, 1).unwrap_err().kind(), super::super::error::FailureKind::Damaged);
        assert_eq!(std::fs::read(sibling_path(&path, LOG_SUFFIX)).unwrap(), before);
    }

    #[test]
    fn recovery_changes_nothing_while_another_connection_is_open() {
        let folder = tempfile::tempdir().unwrap();
        let path = left(folder.path(), false);
        let other = Connection::open(&path).unwrap();
        other.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
        let count =
            |connection: &Connection| connection.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0));
        assert_eq!(count(&other).unwrap(), 200);
        let before = std::fs::read(sibling_path(&path, LOG_SUFFIX)).unwrap();
        assert!(replay_of(&path, 1).unwrap_err().is_busy());
        assert_eq!(std::fs::read(sibling_path(&path, LOG_SUFFIX)).unwrap(), before);
        assert_eq!(count(&other).unwrap(), 200);
        drop(other);
        replay_of(&path, 1).unwrap();
    }

    #[test]
    fn a_page_that_differs_from_its_newest_frame_is_detected() {
        let folder = tempfile::tempdir().unwrap();
        let path = left(folder.path(), true);
        let (log, frames) = (sibling_path(&path, LOG_SUFFIX), frames_of(&path));
        compare_pages(&log, &File::open(&path).unwrap(), frames).unwrap();
        overwrite(&path, 7 * PAGE + 100, b"?");
        assert!(compare_pages(&log, &File::open(&path).unwrap(), frames).is_err());
    }
}
