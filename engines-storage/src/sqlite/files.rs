//! Detects that a file of the store was removed or replaced while the store has it open.
//!
//! SQLite keeps writing to the files it has opened. After `rm engines.db`, or a rename over it, commits would go to a
//! file without a name, and the data would be lost when the process ends. The store therefore records device and
//! inode of each file, and compares them with the file at the path before each group commit, each checkpoint and each
//! new connection, and on each ping.
//!
//! The files are compared with `stat` and are never opened here. POSIX releases all locks of a process on a file when
//! the process closes any descriptor of it, so closing another descriptor would release SQLite's locks.

use std::{
    ffi::OsString,
    fs::{File, Metadata},
    io,
    path::{Path, PathBuf},
    sync::{PoisonError, RwLock},
};

use super::error::SqliteFailure;

/// Suffix of the write-ahead log's name.
pub(super) const LOG_SUFFIX: &str = "-wal";
const INDEX_SUFFIX: &str = "-shm";
const LOCK_SUFFIX: &str = ".lock";

/// Returns `path` with `suffix` appended to its name.
pub(super) fn sibling_path(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// The identity of a file: device and inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileIdentity {
    device: u64,
    inode: u64,
}

impl FileIdentity {
    /// Returns the identity of the file at `path`.
    pub(super) fn of_path(path: &Path) -> io::Result<Self> {
        std::fs::metadata(path).map(|metadata| Self::from(&metadata))
    }
}

#[cfg(unix)]
impl From<&Metadata> for FileIdentity {
    fn from(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// On other systems an open file cannot be removed or replaced, so that only its absence is detected.
#[cfg(not(unix))]
impl From<&Metadata> for FileIdentity {
    fn from(_: &Metadata) -> Self {
        Self { device: 0, inode: 0 }
    }
}

/// A watched file, and the failure to report when it is gone.
#[derive(Debug)]
struct WatchedFile {
    path: PathBuf,
    identity: FileIdentity,
    moved: &'static str,
}

/// The identities of the store's open files.
#[derive(Debug)]
pub(super) struct WatchedFiles {
    path: PathBuf,
    /// The data file and the lock file. They stay the same while the store is open.
    permanent: [WatchedFile; 2],
    /// The log and its index, which SQLite creates again after a recovery.
    recreated: RwLock<Vec<WatchedFile>>,
}

const DATA_MOVED: &str = "the data file was removed or replaced while the store is open, and nothing is written until it is back: \
                          put it back under its name, or stop the server and restore a backup";
const LOCK_MOVED: &str = "the lock file was removed or replaced while the store is open, and nothing is written until it is back: \
                          another process could open the data file; stop the server and start it again";
const LOG_MOVED: &str = "the write-ahead log was removed or replaced while the store is open, and nothing is written any more: stop the \
                         server in an orderly way, which moves what the log held into the data file, and start it again";
const INDEX_MOVED: &str = "the index of the write-ahead log was removed or replaced while the store is open, and nothing is written any \
                           more: stop the server and start it again";

impl WatchedFiles {
    /// Records the identities of the data file, as it was before it was opened, and of the lock file that `lock`
    /// holds open.
    pub(super) fn new(path: &Path, data: FileIdentity, lock: &File) -> io::Result<Self> {
        let lock = FileIdentity::from(&lock.metadata()?);
        Ok(Self {
            path: path.to_owned(),
            permanent: [
                WatchedFile { path: path.to_owned(), identity: data, moved: DATA_MOVED },
                WatchedFile { path: sibling_path(path, LOCK_SUFFIX), identity: lock, moved: LOCK_MOVED },
            ],
            recreated: RwLock::default(),
        })
    }

    /// Returns the path of the data file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Records the log and its index, which the connections that were just opened have created or found.
    pub(super) fn remember(&self) -> io::Result<()> {
        let watched = |suffix, moved| {
            let path = sibling_path(&self.path, suffix);
            FileIdentity::of_path(&path).map(|identity| WatchedFile { path, identity, moved })
        };
        let made = vec![watched(LOG_SUFFIX, LOG_MOVED)?, watched(INDEX_SUFFIX, INDEX_MOVED)?];
        *self.recreated.write().unwrap_or_else(PoisonError::into_inner) = made;
        Ok(())
    }

    /// Forgets the log and its index, because every connection is closed.
    pub(super) fn forget(&self) {
        self.recreated.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Checks that each path still names the open file.
    pub(super) fn check(&self) -> Result<(), SqliteFailure> {
        self.check_data()?;
        self.recreated.read().unwrap_or_else(PoisonError::into_inner).iter().try_for_each(WatchedFile::check)
    }

    /// Checks the data file and the lock file only.
    pub(super) fn check_data(&self) -> Result<(), SqliteFailure> {
        self.permanent.iter().try_for_each(WatchedFile::check)
    }

    /// Checks that `file`, opened by the data file's path, is the file that the store has open.
    pub(super) fn check_opened(&self, file: &File) -> Result<(), SqliteFailure> {
        let identity =
            file.metadata().map(|metadata| FileIdentity::from(&metadata)).map_err(|error| SqliteFailure::io(&error))?;
        let data = &self.permanent[0];
        if identity == data.identity { Ok(()) } else { Err(SqliteFailure::moved(data.moved)) }
    }

    /// Returns the sizes of the data file and of the log in bytes.
    pub(super) fn sizes(&self) -> (Option<u64>, Option<u64>) {
        let size = |path: &Path| std::fs::metadata(path).ok().map(|file| file.len());
        (size(&self.path), size(&sibling_path(&self.path, LOG_SUFFIX)))
    }
}

impl WatchedFile {
    fn check(&self) -> Result<(), SqliteFailure> {
        match FileIdentity::of_path(&self.path) {
            Ok(identity) if identity == self.identity => Ok(()),
            _ => Err(SqliteFailure::moved(self.moved)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(folder: &Path) -> WatchedFiles {
        let path = folder.join("engines.db");
        for suffix in ["", LOG_SUFFIX, INDEX_SUFFIX, LOCK_SUFFIX] {
            std::fs::write(sibling_path(&path, suffix), suffix).unwrap();
        }
        let lock = File::open(sibling_path(&path, LOCK_SUFFIX)).unwrap();
        let files = WatchedFiles::new(&path, FileIdentity::of_path(&path).unwrap(), &lock).unwrap();
        files.remember().unwrap();
        files
    }

    #[test]
    fn a_removed_or_replaced_file_is_reported_until_restored() {
        for suffix in ["", LOG_SUFFIX, INDEX_SUFFIX, LOCK_SUFFIX] {
            let folder = tempfile::tempdir().unwrap();
            let files = files(folder.path());
            files.check().unwrap();
            let (path, away) = (sibling_path(files.path(), suffix), folder.path().join("away"));
            std::fs::rename(&path, &away).unwrap();
            assert!(files.check().is_err(), "{suffix}: removed");
            std::fs::write(&path, "another").unwrap();
            assert!(files.check().is_err(), "{suffix}: replaced");
            std::fs::rename(&away, &path).unwrap();
            files.check().unwrap();
        }
    }

    #[test]
    fn a_file_renamed_over_the_data_file_is_refused_when_opened() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path());
        files.check_opened(&File::open(files.path()).unwrap()).unwrap();
        std::fs::rename(files.path(), folder.path().join("away")).unwrap();
        std::fs::write(files.path(), "another").unwrap();
        assert!(files.check_opened(&File::open(files.path()).unwrap()).is_err());
    }
}
