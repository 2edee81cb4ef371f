//! [`Restore`]: restores a backup into a data folder.

use std::{
    fmt,
    fs::{self, File},
    io::ErrorKind,
    path::{Path, PathBuf},
};

use engines_core::{Code, Error, IdGenerator, Result, hex, nexus::RestoreTarget, stream::LogId};

use super::{
    BackupId, BackupManifest, Backups,
    content::{disk_error, new_file, new_folder, run_blocking},
    names,
};
use crate::durable_fs::{sync_folder, sync_tree};

const OPERATION: &str = "backup.restore";
/// The name of the lock file that a restore holds in the folder that it prepares.
const LOCK_FILE: &str = ".restore.lock";

/// The options of a restore; [`Backups::restore`](super::Backups::restore) performs it.
///
/// A restore reads, verifies and prepares all files in a folder beside the data folder, and then renames that folder
/// to the data folder. After a crash the data folder is either complete or missing; the next restore removes the
/// unfinished folder.
///
/// The restored log gets a new id. A cursor of the original log therefore fails with `REPLAY_MISS`; it never
/// continues in events that replaced those which its reader has seen.
///
/// # Errors
///
/// - `ALREADY_EXISTS` when the data folder exists and is not empty, or another restore is creating it.
/// - `HASH_MISMATCH` when a file differs from the manifest.
/// - `BACKEND_UNAVAILABLE` when the backup is damaged or of a newer version, or the disk fails.
/// - `OP_INVALID` when the backend does not store its data in a folder.
#[must_use]
pub struct Restore<'a> {
    id: BackupId,
    folder: PathBuf,
    log_id: LogId,
    draft: String,
    root_key: Option<&'a [u8]>,
    targets: Vec<&'a dyn RestoreTarget>,
}

/// The result of a restore.
#[derive(Debug, Clone)]
pub struct RestoreReport {
    /// The manifest of the restored backup.
    pub manifest: BackupManifest,
    /// The id of the restored log.
    pub log_id: LogId,
}

impl<'a> Restore<'a> {
    /// Prepares a restore of the backup `id` into `folder`, which must be empty or missing.
    pub fn new(id: BackupId, folder: impl Into<PathBuf>, ids: &IdGenerator) -> Self {
        let (log_id, draft) = (LogId::from_bytes(ids.bytes()), hex::encode(&ids.bytes::<8>()));
        Self { id, folder: folder.into(), log_id, draft, root_key: None, targets: Vec::new() }
    }

    /// Writes this root key to `root.key` in the data folder. The caller has to check that it is the right key, by
    /// [`super::RootKeyEntry::fingerprint`].
    pub fn root_key(mut self, key: &'a [u8]) -> Self {
        self.root_key = Some(key);
        self
    }

    /// Passes the files of one source to `target` instead of the data folder. This happens before the data folder is
    /// in place.
    pub fn target(mut self, target: &'a dyn RestoreTarget) -> Self {
        self.targets.push(target);
        self
    }

    async fn run(self, backups: &Backups) -> Result<RestoreReport> {
        let manifest = backups.manifest(&self.id).await?;
        let data = manifest.data_file().map(str::to_owned).ok_or_else(|| {
            let detail =
                format!("a backup of the backend {} cannot be restored into a data folder", manifest.store.backend);
            Error::new(Code::OpInvalid, OPERATION, detail)
        })?;
        let folder = self.folder.clone();
        let draft = {
            let name = self.draft.clone();
            run_blocking(move || PartialFolder::open(&folder, &name)).await?
        };
        for entry in &manifest.files {
            if entry.name == names::ROOT_KEY_FILE {
                continue;
            }
            let (source, name) = entry.name.split_once('/').unwrap_or(("", &entry.name));
            if let Some(target) = self.targets.iter().find(|target| target.name() == source) {
                target.restore(name, backups.read(&manifest, &entry.name).await?).await?;
                continue;
            }
            let path = match entry.name == data {
                true => draft.path.join(name),
                false => draft.path.join(&entry.name),
            };
            if let Some(folder) = path.parent() {
                new_folder(folder).map_err(|error| disk_error(folder, error))?;
            }
            backups.fetch(&manifest, &entry.name, &path).await?;
        }
        let path = draft.path.join(data.rsplit('/').next().unwrap_or(&data));
        let (checked, log_id) = (manifest.clone(), self.log_id);
        run_blocking(move || adopt(&path, &checked, log_id)).await?;
        if let Some(key) = self.root_key {
            let path = draft.path.join("root.key");
            new_file(&path)
                .and_then(|mut file| std::io::Write::write_all(&mut file, key).and_then(|()| file.sync_all()))
                .map_err(|error| disk_error(&path, error))?;
        }
        run_blocking(move || draft.finish()).await?;
        Ok(RestoreReport { manifest, log_id: self.log_id })
    }
}

impl Backups {
    /// Restores a backup into a new data folder.
    ///
    /// # Errors
    ///
    /// Listed at [`Restore`].
    pub async fn restore(&self, restore: Restore<'_>) -> Result<RestoreReport> {
        restore.run(self).await
    }
}

#[cfg(feature = "sqlite")]
fn adopt(path: &Path, manifest: &BackupManifest, log_id: LogId) -> Result<()> {
    manifest.check_data_file(path)?;
    crate::sqlite::backup::adopt_copy(path, log_id, manifest.id.as_str())
}

#[cfg(not(feature = "sqlite"))]
fn adopt(_: &Path, manifest: &BackupManifest, _: LogId) -> Result<()> {
    let detail = format!("this program was built without the backend {}", manifest.store.backend);
    Err(Error::new(Code::OpInvalid, OPERATION, detail))
}

/// A folder that is renamed to the data folder when it is complete.
#[derive(Debug)]
struct PartialFolder {
    path: PathBuf,
    folder: PathBuf,
    parent: PathBuf,
    _lock: File,
    done: bool,
}

impl PartialFolder {
    fn open(folder: &Path, name: &str) -> Result<Self> {
        let occupied = || {
            let detail =
                format!("{} is not empty; restore into a new folder, then name it with --data", folder.display());
            Error::new(Code::AlreadyExists, OPERATION, detail)
        };
        match fs::read_dir(folder).map(|mut entries| entries.next().is_some()) {
            Ok(true) => return Err(occupied()),
            Err(error) if error.kind() == ErrorKind::NotADirectory => return Err(occupied()),
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(disk_error(folder, error)),
            _ => {}
        }
        let parent = match folder.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let last = folder.file_name().and_then(|name| name.to_str()).ok_or_else(|| {
            Error::new(Code::BodyInvalid, OPERATION, "the data folder needs a name of its own, in UTF-8")
        })?;
        let prefix = format!(".{last}.restore-");
        new_folder(&parent).map_err(|error| disk_error(&parent, error))?;
        remove_leftovers(&parent, &prefix).map_err(|error| disk_error(&parent, error))?;
        let path = parent.join(format!("{prefix}{name}"));
        new_folder(&path).map_err(|error| disk_error(&path, error))?;
        let lock = path.join(LOCK_FILE);
        let lock =
            new_file(&lock).and_then(|file| file.lock().map(|()| file)).map_err(|error| disk_error(&lock, error))?;
        Ok(Self { path, folder: folder.to_owned(), parent, _lock: lock, done: false })
    }

    fn finish(mut self) -> Result<()> {
        let failed = |error| disk_error(&self.path, error);
        sync_tree(&self.path).map_err(failed)?;
        fs::rename(&self.path, &self.folder).map_err(|error| match error.kind() {
            ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists => Error::new(
                Code::AlreadyExists,
                OPERATION,
                format!(
                    "{} was filled by another process during the restore and is left as it is",
                    self.folder.display()
                ),
            ),
            ErrorKind::CrossesDevices | ErrorKind::ResourceBusy => Error::new(
                Code::BackendUnavailable,
                OPERATION,
                format!("{} is a mount point; restore into a folder below it", self.folder.display()),
            ),
            _ => disk_error(&self.folder, error),
        })?;
        self.done = true;
        sync_folder(&self.parent).map_err(|error| disk_error(&self.parent, error))?;
        let lock = self.folder.join(LOCK_FILE);
        fs::remove_file(&lock).map_err(|error| disk_error(&lock, error))
    }
}

impl Drop for PartialFolder {
    fn drop(&mut self) {
        if !self.done {
            // The next restore removes what cannot be removed now.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Removes the folders of unfinished restores. A restore is unfinished when its lock is free.
fn remove_leftovers(parent: &Path, prefix: &str) -> std::io::Result<()> {
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        let ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(prefix));
        if !ours {
            continue;
        }
        match File::options().write(true).open(entry.path().join(LOCK_FILE)) {
            Ok(lock) if lock.try_lock().is_err() => continue,
            _ => fs::remove_dir_all(entry.path())?,
        }
    }
    Ok(())
}

impl fmt::Debug for Restore<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Restore").field("id", &self.id).field("folder", &self.folder).finish_non_exhaustive()
    }
}
