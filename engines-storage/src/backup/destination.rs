//! Where backups are kept: the contract of folders and buckets.

use std::{fmt, path::PathBuf};

use async_trait::async_trait;
use engines_core::{Result, Timestamp, nexus::BackupContent};

use super::BackupId;

/// A place for backups.
#[async_trait]
pub(super) trait BackupDestination: Send + Sync + fmt::Debug {
    /// Lets nobody else make or remove backups while the lock is held.
    ///
    /// # Errors
    /// `ALREADY_EXISTS` when somebody else holds it.
    async fn lock(&self) -> Result<DestinationLock>;

    /// The local folder in which an unfinished backup is made, if it is made in one; otherwise files are put one by one.
    fn staging(&self, id: &BackupId) -> Option<PathBuf>;

    /// Stores a file of an unfinished backup.
    async fn put(&self, id: &BackupId, name: &str, content: BackupContent) -> Result<()>;

    /// All files have been put: makes the backup visible, with its manifest.
    async fn finish(&self, id: &BackupId, manifest: Vec<u8>) -> Result<()>;

    /// Removes what was put of a backup that will not be finished.
    async fn abandon(&self, id: &BackupId);

    /// The backups that are whole, oldest first.
    async fn list(&self) -> Result<Vec<BackupId>>;

    /// A file of a backup.
    ///
    /// # Errors
    /// `NOT_FOUND` when it has none of this name.
    async fn read(&self, id: &BackupId, name: &str) -> Result<BackupContent>;

    /// Removes a backup, so that at no moment a part of it looks like a whole.
    async fn remove(&self, id: &BackupId) -> Result<()>;

    /// Removes what unfinished backups left. To be called with the lock held.
    async fn remove_unfinished(&self, now: Timestamp) -> Result<usize>;

    /// Its name for people, without credentials.
    fn describe(&self) -> String;
}

/// Held while a backup is made or removed.
#[derive(Debug)]
pub(super) struct DestinationLock {
    /// The lock goes with the file.
    pub(super) _file: Option<std::fs::File>,
    /// One in this process.
    pub(super) _permit: Option<tokio::sync::OwnedSemaphorePermit>,
}
