//! The files of a backup that is being made.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use engines_core::{
    Error, Result,
    nexus::{BackupContent, BackupFiles},
};

use super::{
    BackupId, FileEntry,
    content::{HashingStream, disk_error, hash_content, new_folder, read_file, run_blocking},
    destination::BackupDestination,
    folder::in_use_error,
    names,
};

/// Prefix of the names of folders that contain files before their upload.
const WORK_PREFIX: &str = ".backup-";
const WORK_LOCK_FILE: &str = ".backup.lock";

/// A local folder for files that are written before they become part of the backup.
#[derive(Debug)]
pub(super) struct StagingFolder {
    path: PathBuf,
    /// Whether the folder belongs to the destination, so that the files become part of the backup without being
    /// copied.
    in_place: bool,
    _lock: Option<File>,
}

impl StagingFolder {
    /// Opens the destination's own folder, or a new one in `work`.
    pub(super) async fn open(destination: &dyn BackupDestination, id: &BackupId, work: &Path) -> Result<Self> {
        if let Some(path) = destination.staging(id) {
            let made = path.clone();
            run_blocking(move || new_folder(&made).map_err(|error| disk_error(&made, error))).await?;
            return Ok(Self { path, in_place: true, _lock: None });
        }
        let (work, name) = (work.to_owned(), format!("{WORK_PREFIX}{id}"));
        run_blocking(move || {
            let failed = |error| disk_error(&work, error);
            let lock = lock_work_folder(&work)?;
            remove_leftovers(&work).map_err(failed)?;
            let path = work.join(name);
            new_folder(&path).map_err(failed)?;
            Ok(Self { path, in_place: false, _lock: Some(lock) })
        })
        .await
    }
}

impl Drop for StagingFolder {
    fn drop(&mut self) {
        // The destination removes a folder of its own. The next backup removes what cannot be removed now.
        if !self.in_place {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

fn lock_work_folder(work: &Path) -> Result<File> {
    let path = work.join(WORK_LOCK_FILE);
    let file = new_folder(work)
        .and_then(|()| File::options().create(true).truncate(false).write(true).open(&path))
        .map_err(|error| disk_error(&path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(in_use_error(&work.display().to_string())),
        Err(fs::TryLockError::Error(error)) => Err(disk_error(&path, error)),
    }
}

/// Removes the folders of unfinished backups. The caller must hold the lock.
fn remove_leftovers(work: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(work)? {
        let entry = entry?;
        let name = entry.file_name();
        let left = name
            .to_str()
            .and_then(|name| name.strip_prefix(WORK_PREFIX))
            .is_some_and(|id| id.parse::<BackupId>().is_ok());
        if left {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// Collects the files of one source.
pub(super) struct SourceFiles<'a> {
    destination: &'a dyn BackupDestination,
    id: &'a BackupId,
    staging: &'a StagingFolder,
    source: String,
    pub(super) entries: Vec<FileEntry>,
}

impl<'a> SourceFiles<'a> {
    pub(super) fn new(
        destination: &'a dyn BackupDestination,
        id: &'a BackupId,
        staging: &'a StagingFolder,
        source: &str,
    ) -> Result<Self> {
        names::check_source_name(source)?;
        Ok(Self { destination, id, staging, source: source.to_owned(), entries: Vec::new() })
    }

    fn file_name(&self, name: &str) -> Result<String> {
        let name = format!("{}/{name}", self.source);
        names::check_file_name(&name)?;
        match self.entries.iter().any(|entry| entry.name == name) {
            true => Err(Error::internal("backup.create", "a backup source added two files with the same name")),
            false => Ok(name),
        }
    }
}

/// Stores content in the destination and returns its entry for the manifest.
pub(super) async fn put(
    destination: &dyn BackupDestination,
    id: &BackupId,
    name: &str,
    content: BackupContent,
) -> Result<FileEntry> {
    let (measured, entry) = HashingStream::new(name, content);
    destination.put(id, name, Box::pin(measured)).await?;
    entry.await.map_err(|_| Error::internal("backup.create", "a file was not read to its end"))
}

#[async_trait]
impl BackupFiles for SourceFiles<'_> {
    fn local_path(&mut self, name: &str) -> Result<PathBuf> {
        let path = self.staging.path.join(self.file_name(name)?);
        if let Some(folder) = path.parent() {
            new_folder(folder).map_err(|error| disk_error(folder, error))?;
        }
        Ok(path)
    }

    async fn add_local(&mut self, name: &str) -> Result<()> {
        let name = self.file_name(name)?;
        let path = self.staging.path.join(&name);
        let entry = if self.staging.in_place {
            let file = path.clone();
            run_blocking(move || make_durable(&file).map_err(|error| disk_error(&file, error))).await?;
            hash_content(&name, read_file(path)).await?
        } else {
            let entry = put(self.destination, self.id, &name, read_file(path.clone())).await?;
            run_blocking(move || fs::remove_file(&path).map_err(|error| disk_error(&path, error))).await?;
            entry
        };
        self.entries.push(entry);
        Ok(())
    }

    async fn add_stream(&mut self, name: &str, content: BackupContent) -> Result<()> {
        let name = self.file_name(name)?;
        let entry = put(self.destination, self.id, &name, content).await?;
        self.entries.push(entry);
        Ok(())
    }
}

/// Makes a file readable and writable by its owner alone, and syncs it.
fn make_durable(path: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    File::open(path)?.sync_all()
}
