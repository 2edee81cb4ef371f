//! [`BackupDestination`]: the trait that folders and buckets implement.

use std::{fmt, path::PathBuf};

use async_trait::async_trait;
use engines_core::{Result, Timestamp, nexus::BackupContent};

use super::BackupId;

/// A place that stores backups.
#[async_trait]
pub(super) trait BackupDestination: Send + Sync + fmt::Debug {
    /// Locks the destination: while the lock is held, nobody else makes or removes backups.
    ///
    /// # Errors
    ///
    /// `ALREADY_EXISTS` when the lock is held already.
    async fn lock(&self) -> Result<DestinationLock>;

    /// Returns the local folder in which an unfinished backup is made. `None` when files are stored one by one with
    /// [`put`](Self::put).
    fn staging(&self, id: &BackupId) -> Option<PathBuf>;

    /// Stores a file of an unfinished backup.
    async fn put(&self, id: &BackupId, name: &str, content: BackupContent) -> Result<()>;

    /// Completes the backup by storing its manifest. All its other files must be stored already.
    async fn finish(&self, id: &BackupId, manifest: Vec<u8>) -> Result<()>;

    /// Removes the files of a backup that will not be completed.
    async fn abandon(&self, id: &BackupId);

    /// Lists the complete backups, oldest first.
    async fn list(&self) -> Result<Vec<BackupId>>;

    /// Returns the content of a file of a backup.
    ///
    /// # Errors
    ///
    /// `NOT_FOUND` when the backup has no file of this name.
    async fn read(&self, id: &BackupId, name: &str) -> Result<BackupContent>;

    /// Removes a backup. At no moment does a partly removed backup look complete.
    async fn remove(&self, id: &BackupId) -> Result<()>;

    /// Removes the files of unfinished backups and returns the number of backups removed. The caller must hold the
    /// lock.
    async fn remove_unfinished(&self, now: Timestamp) -> Result<usize>;

    /// Returns a description for messages; it contains no credentials.
    fn describe(&self) -> String;
}

/// The lock of a destination; dropping it releases the lock.
#[derive(Debug)]
pub(super) struct DestinationLock {
    /// The lock file; the lock is released when it is closed.
    pub(super) _file: Option<std::fs::File>,
    /// The permit that locks the destination within this process.
    pub(super) _permit: Option<tokio::sync::OwnedSemaphorePermit>,
}
