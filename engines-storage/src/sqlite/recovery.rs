//! Making the data file whole again from its log, after a fault of the disk and after an unclean end.
//!
//! A failed `fsync` leaves pages in the kernel's cache that are marked as written and are not on the disk; another `fsync`
//! succeeds without writing them. So nothing that was written before the fault may be trusted to be on the disk only because a
//! later `fsync` succeeds: it has to be written again. `docs/design/0003-io-faults.md` has the reasoning.
//!
//! All of this needs every connection of the process to be closed. It works on connections in exclusive locking mode. SQLite then
//! keeps the log's index in memory instead of in the `-shm` file: it reads the log from its first frame, knows of no frame that was
//! moved to the data file before, and refuses to start while another process has the file open.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{ErrorKind, Read, Seek, SeekFrom, Write},
    path::Path,
};

use rusqlite::{Connection, OpenFlags, config::DbConfig};

use super::{
    checkpoint,
    error::Failure,
    files::{LOG, beside},
    options::SqliteOptions,
};

/// Bytes of the log that are written again at a time.
const CHUNK: usize = 1 << 20;
/// Bytes of the log's header, and of the header of each frame (<https://sqlite.org/fileformat2.html#the_write_ahead_log>).
const LOG_HEADER: u64 = 32;
const FRAME_HEADER: u64 = 24;

/// The log holds fewer frames than were acknowledged.
const FRAMES_MISSING: Failure = Failure::damaged(
    "the write-ahead log has lost transactions that were acknowledged; restore the data from a backup",
);
/// A page in the data file is not what was just copied there.
const PAGE_DIFFERS: Failure = Failure::damaged(
    "the disk does not keep what is written to the data file; replace it and restore the data from a backup",
);
/// The check of the data file failed, or SQLite met a malformed page.
const NOT_WHOLE: Failure = Failure::damaged("the data file is damaged; restore the data from a backup");
/// SQLite deletes the log of an empty data file.
const EMPTY: Failure =
    Failure::damaged("the data file is empty and its log is not; put the data file back or restore a backup");

/// What the data file has to fulfil before the store goes on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// Frames that the log holds at least, because their transactions were acknowledged and are in the log alone.
    pub(super) frames: usize,
    /// Whether a data file of up to [`SqliteOptions::check_bytes`] is checked as a whole.
    pub(super) check: bool,
}

/// Writes the log again, copies all of it into the data file, syncs that, and empties the log.
///
/// Fails with a failure of the kind `Damaged` when the files are not whole; after every other failure it may be tried again.
pub(super) fn replay(path: &Path, options: &SqliteOptions, wanted: Wanted) -> Result<(), Failure> {
    let log = beside(path, LOG);
    let length = |path: &Path| match std::fs::metadata(path) {
        Ok(file) => Ok(file.len()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
        Err(error) => Err(Failure::io(&error)),
    };
    if length(path)? == 0 && length(&log)? > 0 {
        return Err(EMPTY);
    }
    // The guard keeps other programs away from the log while it is written again. It is closed then, so that the second
    // connection reads the frames as they are now.
    let guard = exclusive(path, options)?;
    rewrite(&log)?;
    drop(guard);
    let connection = exclusive(path, options)?;
    let full = checkpoint::run(&connection, "FULL").map_err(damage)?;
    if full.frames < wanted.frames {
        return Err(FRAMES_MISSING);
    }
    if full.moved < full.frames {
        return Err(busy());
    }
    // Dropped after the connection: closing it releases the locks that SQLite holds on the file.
    let data = File::open(path).map_err(|error| Failure::io(&error))?;
    let checked = compare(&log, &data, full.frames).and_then(|()| {
        checkpoint::run(&connection, "TRUNCATE").map_err(damage)?;
        let small = length(path)? <= options.check_bytes;
        if wanted.check && small { quick_check(&connection) } else { Ok(()) }
    });
    drop(connection);
    drop(data);
    checked
}

/// Reads the log and writes the same bytes back, so that the kernel has all of them to write, and syncs them. The content does not
/// change at any moment, so that a crash does no harm.
pub(super) fn rewrite(log: &Path) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::io(&error);
    let mut file = match OpenOptions::new().read(true).write(true).open(log) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    let mut chunk = vec![0; CHUNK];
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
    sync_folder(log).map_err(failed)
}

/// Makes the names in the folder of `path` durable.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// A connection that has the file for itself, with the log's index in memory.
fn exclusive(path: &Path, options: &SqliteOptions) -> Result<Connection, Failure> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || -> Result<Connection, rusqlite::Error> {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        connection.busy_timeout(options.busy_timeout)?;
        // Before anything reads the file: SQLite decides when it opens the log where it keeps the index.
        connection.pragma_update_and_check(None, "locking_mode", "EXCLUSIVE", |_| Ok(()))?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        Ok(connection)
    };
    open().map_err(|error| damage(error.into()))
}

/// Compares the newest frame of each page in the log with the page in the data file.
fn compare(log: &Path, mut data: &File, frames: usize) -> Result<(), Failure> {
    if frames == 0 {
        return Ok(());
    }
    let failed = |error: std::io::Error| Failure::io(&error);
    let mut log = File::open(log).map_err(failed)?;
    let mut header = [0; LOG_HEADER as usize];
    log.read_exact(&mut header).map_err(failed)?;
    let page_size = match word(&header, 8) {
        1 => 65_536,
        size => u64::from(size),
    };
    let start = |frame: u64| LOG_HEADER + frame * (FRAME_HEADER + page_size);
    let (mut newest, mut pages) = (BTreeMap::new(), 0);
    for frame in 0..frames as u64 {
        let mut header = [0; FRAME_HEADER as usize];
        log.seek(SeekFrom::Start(start(frame))).map_err(failed)?;
        log.read_exact(&mut header).map_err(failed)?;
        newest.insert(word(&header, 0), frame);
        // The size of the file after a transaction, in the last frame of each.
        if word(&header, 4) > 0 {
            pages = word(&header, 4);
        }
    }
    let size = usize::try_from(page_size).map_err(|_| NOT_WHOLE)?;
    let (mut wanted, mut found) = (vec![0; size], vec![0; size]);
    for (page, frame) in newest.range(1..=pages) {
        log.seek(SeekFrom::Start(start(*frame) + FRAME_HEADER)).map_err(failed)?;
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

/// The big-endian number at this offset.
fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.iter().skip(at).take(4).fold(0, |number, byte| (number << 8) | u32::from(*byte))
}

fn quick_check(connection: &Connection) -> Result<(), Failure> {
    let verdict: String =
        connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(|error| damage(error.into()))?;
    if verdict == "ok" { Ok(()) } else { Err(NOT_WHOLE) }
}

/// A malformed file does not get better by another try.
fn damage(failure: Failure) -> Failure {
    if failure.is_corruption() { NOT_WHOLE } else { failure }
}

fn busy() -> Failure {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY), None).into()
}
