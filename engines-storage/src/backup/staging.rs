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

/// The prefix of folders that hold files before they are uploaded.
const WORK_PREFIX: &str = ".backup-";
const WORK_LOCK_FILE: &str = ".backup.lock";

/// A folder for files that are written to the local disk before they are part of the backup.
#[derive(Debug)]
pub(super) struct StagingFolder {
    path: PathBuf,
    /// The files become part of the backup where they are.
    in_place: bool,
    _lock: Option<File>,
}

impl StagingFolder {
    /// The destination's own, or a new folder in `work`.
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
        // What is in place is the destination's to remove; what cannot be removed now, the next backup removes.
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

/// Removes what a backup left that did not come to its end. To be called with the lock held.
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

/// The files of one source.
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
            true => Err(Error::internal("backup.create", "a backup source added two files of one name")),
            false => Ok(name),
        }
    }
}

/// Stores content and returns what was stored.
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

/// For its owner alone, and on the disk.
fn make_durable(path: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    File::open(path)?.sync_all()
}
