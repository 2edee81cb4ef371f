//! Notices when a file of the store is removed or replaced while the store has it open.
//!
//! SQLite keeps writing to the files it has opened. After `rm engines.db` or a rename over it, commits would go to a file that no
//! longer has a name, and the data would be lost with the process. So the store remembers device and inode of each file and
//! compares them with what its path names, before each group commit, each checkpoint and each new connection, and on each ping.
//!
//! The files are compared with `stat` and are never opened here: POSIX drops all of a process's locks on a file when it closes
//! any descriptor of that file, so a descriptor of our own would release SQLite's locks.

use std::{
    ffi::OsString,
    fs::{File, Metadata},
    io,
    path::{Path, PathBuf},
    sync::{PoisonError, RwLock},
};

use super::error::Failure;

/// The files beside the data file, by what is appended to its name.
pub(super) const LOG: &str = "-wal";
const INDEX: &str = "-shm";
const LOCK: &str = ".lock";

/// `path` with `suffix` appended to its name.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// Which file a name leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    /// The identity of the file that `path` names.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        std::fs::metadata(path).map(|metadata| Self::from(&metadata))
    }
}

#[cfg(unix)]
impl From<&Metadata> for Identity {
    fn from(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// Elsewhere an open file cannot be removed or replaced, so that only its absence is noticed.
#[cfg(not(unix))]
impl From<&Metadata> for Identity {
    fn from(_: &Metadata) -> Self {
        Self { device: 0, inode: 0 }
    }
}

/// A file that is watched, and what is wrong when it is gone.
#[derive(Debug)]
struct Watched {
    path: PathBuf,
    identity: Identity,
    moved: &'static str,
}

/// The identities of the store's open files.
#[derive(Debug)]
pub(super) struct Files {
    path: PathBuf,
    /// The data file and the lock file stay the same for as long as the store is open.
    fixed: [Watched; 2],
    /// The log and its index, which SQLite makes again after a recovery.
    made: RwLock<Vec<Watched>>,
}

const DATA_MOVED: &str = "the data file was removed or replaced while the store is open, and nothing is written until it is back: \
                          put it back under its name, or stop the server and restore a backup";
const LOCK_MOVED: &str = "the lock file was removed or replaced while the store is open, and nothing is written until it is back: \
                          another process could open the data file; stop the server and start it again";
const LOG_MOVED: &str = "the write-ahead log was removed or replaced while the store is open, and nothing is written any more: stop the \
                         server in an orderly way, which moves what the log held into the data file, and start it again";
const INDEX_MOVED: &str = "the index of the write-ahead log was removed or replaced while the store is open, and nothing is written any \
                           more: stop the server and start it again";

impl Files {
    /// Remembers the data file as it was before it was opened, and the lock file that `lock` holds open.
    pub(super) fn new(path: &Path, data: Identity, lock: &File) -> io::Result<Self> {
        let lock = Identity::from(&lock.metadata()?);
        Ok(Self {
            path: path.to_owned(),
            fixed: [
                Watched { path: path.to_owned(), identity: data, moved: DATA_MOVED },
                Watched { path: beside(path, LOCK), identity: lock, moved: LOCK_MOVED },
            ],
            made: RwLock::default(),
        })
    }

    /// The data file's path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Remembers the log and its index, which the connections just opened have made or found.
    pub(super) fn remember(&self) -> io::Result<()> {
        let watched = |suffix, moved| {
            let path = beside(&self.path, suffix);
            Identity::of(&path).map(|identity| Watched { path, identity, moved })
        };
        let made = vec![watched(LOG, LOG_MOVED)?, watched(INDEX, INDEX_MOVED)?];
        *self.made.write().unwrap_or_else(PoisonError::into_inner) = made;
        Ok(())
    }

    /// Forgets the log and its index, because every connection is closed.
    pub(super) fn forget(&self) {
        self.made.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Whether each path still names the file that is open.
    pub(super) fn check(&self) -> Result<(), Failure> {
        self.check_data()?;
        self.made.read().unwrap_or_else(PoisonError::into_inner).iter().try_for_each(Watched::check)
    }

    /// The same for the data file and the lock file alone.
    pub(super) fn check_data(&self) -> Result<(), Failure> {
        self.fixed.iter().try_for_each(Watched::check)
    }

    /// Whether `file`, opened by the data file's path, is the one that the store has open.
    pub(super) fn check_opened(&self, file: &File) -> Result<(), Failure> {
        let identity =
            file.metadata().map(|metadata| Identity::from(&metadata)).map_err(|error| Failure::io(&error))?;
        let data = &self.fixed[0];
        if identity == data.identity { Ok(()) } else { Err(Failure::moved(data.moved)) }
    }

    /// Bytes of the data file and of the log.
    pub(super) fn sizes(&self) -> (Option<u64>, Option<u64>) {
        let size = |path: &Path| std::fs::metadata(path).ok().map(|file| file.len());
        (size(&self.path), size(&beside(&self.path, LOG)))
    }
}

impl Watched {
    fn check(&self) -> Result<(), Failure> {
        match Identity::of(&self.path) {
            Ok(identity) if identity == self.identity => Ok(()),
            _ => Err(Failure::moved(self.moved)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(folder: &Path) -> Files {
        let path = folder.join("engines.db");
        for suffix in ["", LOG, INDEX, LOCK] {
            std::fs::write(beside(&path, suffix), suffix).unwrap();
        }
        let lock = File::open(beside(&path, LOCK)).unwrap();
        let files = Files::new(&path, Identity::of(&path).unwrap(), &lock).unwrap();
        files.remember().unwrap();
        files
    }

    #[test]
    fn a_removed_or_replaced_file_is_noticed_until_it_is_back() {
        for suffix in ["", LOG, INDEX, LOCK] {
            let folder = tempfile::tempdir().unwrap();
            let files = files(folder.path());
            files.check().unwrap();
            let (path, away) = (beside(files.path(), suffix), folder.path().join("away"));
            std::fs::rename(&path, &away).unwrap();
            assert!(files.check().is_err(), "{suffix}: removed");
            std::fs::write(&path, "another").unwrap();
            assert!(files.check().is_err(), "{suffix}: replaced");
            std::fs::rename(&away, &path).unwrap();
            files.check().unwrap();
        }
    }
}
