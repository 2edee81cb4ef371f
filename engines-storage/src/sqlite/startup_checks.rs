//! Checks before SQLite opens the files: whether all files exist, whether the log is damaged, and who may read the
//! files.
//!
//! SQLite creates an empty data file when there is none, and ignores the unreadable part of a log. Either would
//! silently lose data. `docs/design/0004-start-checks.md` has the reasoning.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use engines_core::Result;

use super::{
    error::open_error,
    files::{LOG_SUFFIX, sibling_path},
    log_scan::{self, LogDamage, LogScan},
    options::SqliteOptions,
};
use crate::durable_fs::sync_parent;

/// Suffix of the marker file, which states that the data file was created. It is written after the first commit.
const MARKER_SUFFIX: &str = ".created";
/// The content of the marker file, for a person who finds it.
const MARKER_TEXT: &str = "The data file of this name, without `.created`, was made here and must not be missing. Remove this file only \
                           to begin with empty data.\n";
/// Suffix of the name of a damaged log's copy; a number follows if the name is in use.
const DAMAGED_LOG_SUFFIX: &str = "-wal.damaged";
/// Maximum number of copies of damaged logs.
const MAX_COPIES: u32 = 1000;

/// The suffixes of all files of the store.
#[cfg(unix)]
const FILE_SUFFIXES: [&str; 6] = ["", LOG_SUFFIX, "-shm", "-journal", ".lock", MARKER_SUFFIX];

/// Checks the files of the data file at `path` before it is opened or created.
///
/// # Errors
///
/// When the data file is missing although it was created before, and when the log is damaged, unless
/// [`SqliteOptions::accept_loss`] is set.
pub(super) fn check_files(path: &Path, options: &SqliteOptions) -> Result<()> {
    let data = file_length(path)?;
    let log = sibling_path(path, LOG_SUFFIX);
    let left = file_length(&log)?;
    if data == 0 && left > 0 {
        return Err(open_error(format!(
            "the write-ahead log {} is there, and its data file {} is missing or empty; nothing was changed. Put the data file back \
             under its name, or restore a backup",
            log.display(),
            path.display()
        )));
    }
    let marker = sibling_path(path, MARKER_SUFFIX);
    if data == 0 && marker.try_exists().map_err(|error| read_error(&marker, &error))? {
        return Err(open_error(format!(
            "the data file {} is missing or empty, and {} says that it was made here. Put it back, or restore a backup; to begin with \
             empty data, remove {}",
            path.display(),
            marker.display(),
            marker.display()
        )));
    }
    if left > 0 { check_log(path, &log, data, options) } else { Ok(()) }
}

/// Creates the marker after the data file's first commit. From then on a start without the data file fails.
pub(super) fn write_marker(path: &Path) {
    let marker = sibling_path(path, MARKER_SUFFIX);
    let written = match owner_only(OpenOptions::new().create_new(true).write(true)).open(&marker) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return,
        opened => opened.and_then(|mut file| {
            file.write_all(MARKER_TEXT.as_bytes())?;
            file.sync_all()?;
            sync_parent(path)
        }),
    };
    if let Err(error) = written {
        tracing::warn!(
            path = %marker.display(), %error,
            "the marker of the data file could not be written, so a later start without the data file would not be detected"
        );
    }
}

/// Restricts access to the owner, whatever the process's umask is. SQLite creates the files beside the data file with
/// the data file's mode.
pub(super) fn owner_only(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// Removes the access of others to the files, which earlier versions created with the process's umask.
#[cfg(unix)]
pub(super) fn make_private(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    for file in FILE_SUFFIXES.map(|suffix| sibling_path(path, suffix)) {
        let Ok(mode) = fs::metadata(&file).map(|found| found.permissions().mode() & 0o777) else { continue };
        if mode & 0o077 == 0 {
            continue;
        }
        let before = format!("{mode:04o}");
        match fs::set_permissions(&file, fs::Permissions::from_mode(mode & 0o700)) {
            Ok(()) => {
                tracing::warn!(path = %file.display(), before, "others could read or write this file; now its owner alone can")
            }
            Err(error) => {
                tracing::warn!(path = %file.display(), before, %error, "others can read or write this file, and its mode cannot be changed");
            }
        }
    }
}

/// On other systems, files have no modes.
#[cfg(not(unix))]
pub(super) fn make_private(_: &Path) {}

fn check_log(path: &Path, log: &Path, data: u64, options: &SqliteOptions) -> Result<()> {
    let scan = File::open(log).and_then(|file| log_scan::scan(file, data)).map_err(|error| read_error(log, &error))?;
    let Some(damage) = scan.damage else { return Ok(()) };
    if !options.accept_loss {
        return Err(open_error(damaged_log_detail(log, &scan, damage)));
    }
    let copy = copy_log(path, log).and_then(|copy| {
        // Frames after the damage would be found again at the next start, among frames that are written from now on.
        let bytes = if scan.frames == 0 { 0 } else { scan.bytes };
        let file = OpenOptions::new().write(true).open(log)?;
        file.set_len(bytes)?;
        file.sync_all()?;
        Ok(copy)
    });
    let copy = copy.map_err(|error| {
        open_error(format!(
            "the damaged log {} cannot be copied and truncated: {error}; free space and start again",
            log.display()
        ))
    })?;
    tracing::error!(
        path = %log.display(), at = damage.offset, kept_transactions = scan.transactions, lost_transactions = damage.transactions_after + 1,
        copy = %copy.display(),
        "the write-ahead log is damaged; as requested, the data before the damage is recovered, and the data after it is lost"
    );
    Ok(())
}

fn damaged_log_detail(log: &Path, scan: &LogScan, damage: LogDamage) -> String {
    let LogDamage { offset: at, transactions_after: behind } = damage;
    let LogScan { transactions, .. } = scan;
    format!(
        "the write-ahead log {} is damaged at byte {at}: {transactions} whole transactions lie before the damage, and behind the damaged \
         one {behind} more that were acknowledged and cannot be read any more. Nothing was changed. Restore a backup; or start once with \
         --accept-loss (`SqliteOptions::accept_loss`), which keeps a copy of the log and goes on without what lies behind the damage",
        log.display()
    )
}

/// Copies the log to a file beside it, and syncs the copy.
fn copy_log(path: &Path, log: &Path) -> io::Result<PathBuf> {
    for number in 1..=MAX_COPIES {
        let copy = match number {
            1 => sibling_path(path, DAMAGED_LOG_SUFFIX),
            number => sibling_path(path, &format!("{DAMAGED_LOG_SUFFIX}.{number}")),
        };
        match owner_only(OpenOptions::new().create_new(true).write(true)).open(&copy) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            opened => {
                let mut file = opened?;
                io::copy(&mut File::open(log)?, &mut file)?;
                file.sync_all()?;
                sync_parent(path)?;
                return Ok(copy);
            }
        }
    }
    Err(io::Error::other(format!("there are {MAX_COPIES} copies already")))
}

/// Returns the size of a file; 0 when it does not exist.
fn file_length(path: &Path) -> Result<u64> {
    match fs::metadata(path) {
        Ok(file) => Ok(file.len()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(read_error(path, &error)),
    }
}

fn read_error(path: &Path, error: &io::Error) -> engines_core::Error {
    open_error(format!("{} cannot be read: {error}; check the disk and the folder's permissions", path.display()))
}
