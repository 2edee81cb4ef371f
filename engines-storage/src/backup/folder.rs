//! [`FolderDestination`]: backups in a local folder.
//!
//! A backup is made in `.partial-<id>`. It is renamed to `<id>` when all its files and folders are synced.

use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use engines_core::{Code, Error, Result, Timestamp, nexus::BackupContent};

use super::{
    BackupId,
    content::{disk_error, new_file, new_folder, read_file, run_blocking, write_file},
    destination::{BackupDestination, DestinationLock},
    names,
};
use crate::durable_fs::{sync_folder, sync_tree};

const PARTIAL_PREFIX: &str = ".partial-";
const LOCK_FILE: &str = ".lock";

/// A local folder of backups.
#[derive(Debug)]
pub(super) struct FolderDestination(pub(super) PathBuf);

impl FolderDestination {
    fn partial_path(&self, id: &BackupId) -> PathBuf {
        self.0.join(format!("{PARTIAL_PREFIX}{id}"))
    }

    fn complete_path(&self, id: &BackupId) -> PathBuf {
        self.0.join(id.as_str())
    }
}

#[async_trait]
impl BackupDestination for FolderDestination {
    async fn lock(&self) -> Result<DestinationLock> {
        let folder = self.0.clone();
        run_blocking(move || {
            new_folder(&folder).map_err(|error| disk_error(&folder, error))?;
            let path = folder.join(LOCK_FILE);
            let mut options = File::options();
            options.create(true).truncate(false).write(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let file = options.open(&path).map_err(|error| disk_error(&path, error))?;
            match file.try_lock() {
                Ok(()) => Ok(DestinationLock { _file: Some(file), _permit: None }),
                Err(TryLockError::WouldBlock) => Err(in_use_error(&folder.display().to_string())),
                Err(TryLockError::Error(error)) => Err(disk_error(&path, error)),
            }
        })
        .await
    }

    fn staging(&self, id: &BackupId) -> Option<PathBuf> {
        Some(self.partial_path(id))
    }

    async fn put(&self, id: &BackupId, name: &str, content: BackupContent) -> Result<()> {
        let path = self.partial_path(id).join(name);
        let folder = path.parent().map(Path::to_owned).unwrap_or_default();
        run_blocking(move || new_folder(&folder).map_err(|error| disk_error(&folder, error))).await?;
        write_file(&path, content).await
    }

    async fn finish(&self, id: &BackupId, manifest: Vec<u8>) -> Result<()> {
        let (partial, whole, root) = (self.partial_path(id), self.complete_path(id), self.0.clone());
        run_blocking(move || {
            let path = partial.join(names::MANIFEST_FILE);
            let mut file = new_file(&path).map_err(|error| disk_error(&path, error))?;
            std::io::Write::write_all(&mut file, &manifest)
                .and_then(|()| file.sync_all())
                .map_err(|error| disk_error(&path, error))?;
            sync_tree(&partial).map_err(|error| disk_error(&partial, error))?;
            fs::rename(&partial, &whole).map_err(|error| disk_error(&whole, error))?;
            sync_folder(&root).map_err(|error| disk_error(&root, error))
        })
        .await
    }

    async fn abandon(&self, id: &BackupId) {
        let partial = self.partial_path(id);
        let removed = run_blocking(move || match fs::remove_dir_all(&partial) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(disk_error(&partial, error)),
            _ => Ok(()),
        });
        if let Err(error) = removed.await {
            tracing::warn!(%error, "an unfinished backup could not be removed; the next backup tries again");
        }
    }

    async fn list(&self) -> Result<Vec<BackupId>> {
        let root = self.0.clone();
        run_blocking(move || {
            let mut found = Vec::new();
            for name in list_names(&root).map_err(|error| disk_error(&root, error))? {
                if let Ok(id) = name.parse::<BackupId>()
                    && root.join(&name).join(names::MANIFEST_FILE).is_file()
                {
                    found.push(id);
                }
            }
            found.sort();
            Ok(found)
        })
        .await
    }

    async fn read(&self, id: &BackupId, name: &str) -> Result<BackupContent> {
        names::check_file_name(name)?;
        let path = self.complete_path(id).join(name);
        let (checked, what) = (path.clone(), format!("the backup {id} has no file {name} in {}", self.describe()));
        // A symbolic link could point to a file outside the backup.
        let file = run_blocking(move || Ok(fs::symlink_metadata(&checked).is_ok_and(|found| found.is_file()))).await?;
        match file {
            true => Ok(read_file(path)),
            false => Err(Error::new(Code::NotFound, "backup.read", what)),
        }
    }

    async fn remove(&self, id: &BackupId) -> Result<()> {
        let (whole, partial, root) = (self.complete_path(id), self.partial_path(id), self.0.clone());
        run_blocking(move || {
            fs::rename(&whole, &partial).map_err(|error| disk_error(&whole, error))?;
            sync_folder(&root).map_err(|error| disk_error(&root, error))?;
            fs::remove_dir_all(&partial).map_err(|error| disk_error(&partial, error))
        })
        .await
    }

    async fn remove_unfinished(&self, _: Timestamp) -> Result<usize> {
        let root = self.0.clone();
        // The lock is held, so no unfinished backup that exists now is still being made.
        run_blocking(move || {
            let mut removed = 0;
            for name in list_names(&root).map_err(|error| disk_error(&root, error))? {
                let left = name.strip_prefix(PARTIAL_PREFIX).is_some_and(|id| id.parse::<BackupId>().is_ok());
                if left {
                    let path = root.join(&name);
                    fs::remove_dir_all(&path).map_err(|error| disk_error(&path, error))?;
                    removed += 1;
                }
            }
            Ok(removed)
        })
        .await
    }

    fn describe(&self) -> String {
        self.0.display().to_string()
    }
}

pub(super) fn in_use_error(what: &str) -> Error {
    let detail = format!("another backup into {what} is being made or removed; wait until it has ended");
    Error::new(Code::AlreadyExists, "backup.create", detail)
}

/// Lists the names in a folder; empty when the folder does not exist.
fn list_names(folder: &Path) -> std::io::Result<Vec<String>> {
    let found = match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        found => found?,
    };
    found.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}
