//! [`BucketDestination`]: backups below a prefix of a bucket.
//!
//! Files are uploaded in parts; the client retries each part. The checksum of the upload, or `backup verify`, detects
//! a part that was damaged in transit. The manifest is uploaded last: a backup without one is unfinished.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use engines_core::{Code, Error, Result, Timestamp, nexus::BackupContent};
use futures_util::{StreamExt, TryStreamExt};
use object_store::{ObjectStore, ObjectStoreExt, WriteMultipart, path::Path as Key};
use tokio::sync::Semaphore;

use super::{
    BackupId,
    destination::{BackupDestination, DestinationLock},
    folder::in_use_error,
    names,
};

/// Size of a part. S3 allows 10,000 parts in a file, so a file may have 156 GiB.
const PART_BYTES: usize = 16 << 20;
/// Number of parts of one file that are uploaded concurrently. With the part being filled this bounds memory to 80
/// MiB.
const PARTS_IN_FLIGHT: usize = 4;
/// Age at which an unfinished backup is removed. An upload in progress is expected to be younger.
const ABANDONED_AFTER: Duration = Duration::from_secs(48 * 3600);

/// A prefix of a bucket.
pub(super) struct BucketDestination {
    store: Arc<dyn ObjectStore>,
    prefix: Key,
    name: String,
    lock: Arc<Semaphore>,
}

impl BucketDestination {
    pub(super) fn new(store: Arc<dyn ObjectStore>, prefix: &str, name: String) -> Result<Self> {
        let prefix = Key::parse(prefix).map_err(|error| bucket_error("backup.destination", error.into()))?;
        Ok(Self { store, prefix, name, lock: Arc::new(Semaphore::new(1)) })
    }

    fn object_key(&self, id: &BackupId, name: &str) -> Key {
        name.split('/').fold(self.prefix.clone().join(id.as_str()), |key, part| key.join(part))
    }

    /// Lists the folders below the prefix whose names are backup ids.
    async fn folders(&self) -> Result<Vec<BackupId>> {
        let listed = self
            .store
            .list_with_delimiter(Some(&self.prefix))
            .await
            .map_err(|error| bucket_error("backup.list", error))?;
        let mut ids: Vec<BackupId> =
            listed.common_prefixes.iter().filter_map(|key| key.filename()?.parse().ok()).collect();
        ids.sort();
        Ok(ids)
    }

    async fn is_complete(&self, id: &BackupId) -> Result<bool> {
        match self.store.head(&self.object_key(id, names::MANIFEST_FILE)).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(bucket_error("backup.list", error)),
        }
    }

    async fn remove_objects(&self, id: &BackupId) -> Result<()> {
        let prefix = self.prefix.clone().join(id.as_str());
        let keys = self.store.list(Some(&prefix)).map_ok(|found| found.location).boxed();
        let removed: Result<Vec<_>, _> = self.store.delete_stream(keys).try_collect().await;
        removed.map(drop).map_err(|error| bucket_error("backup.remove", error))
    }
}

#[async_trait]
impl BackupDestination for BucketDestination {
    async fn lock(&self) -> Result<DestinationLock> {
        // Other processes are not locked out. Their backups have other ids, and an upload in progress is kept for at
        // least `ABANDONED_AFTER`.
        let permit = Arc::clone(&self.lock).try_acquire_owned().map_err(|_| in_use_error(&self.name))?;
        Ok(DestinationLock { _file: None, _permit: Some(permit) })
    }

    fn staging(&self, _: &BackupId) -> Option<PathBuf> {
        None
    }

    async fn put(&self, id: &BackupId, name: &str, mut content: BackupContent) -> Result<()> {
        let key = self.object_key(id, name);
        let begun = self.store.put_multipart(&key).await.map_err(|error| bucket_error("backup.upload", error))?;
        let mut upload = WriteMultipart::new_with_chunk_size(begun, PART_BYTES);
        let mut bytes = 0;
        let sent = async {
            while let Some(chunk) = content.next().await {
                let chunk = chunk?;
                bytes += chunk.len() as u64;
                upload
                    .wait_for_capacity(PARTS_IN_FLIGHT)
                    .await
                    .map_err(|error| bucket_error("backup.upload", error))?;
                upload.put(chunk);
            }
            Ok(())
        };
        if let Err(error) = sent.await {
            // The first error is the one to return.
            let _ = upload.abort().await;
            return Err(error);
        }
        upload.finish().await.map_err(|error| bucket_error("backup.upload", error))?;
        let stored = self.store.head(&key).await.map_err(|error| bucket_error("backup.upload", error))?;
        if stored.size != bytes {
            let detail = "the bucket stored a file with another size than was sent; try again";
            return Err(Error::new(Code::BackendUnavailable, "backup.upload", detail));
        }
        Ok(())
    }

    async fn finish(&self, id: &BackupId, manifest: Vec<u8>) -> Result<()> {
        let put = self.store.put(&self.object_key(id, names::MANIFEST_FILE), manifest.into()).await;
        put.map(drop).map_err(|error| bucket_error("backup.upload", error))
    }

    async fn abandon(&self, id: &BackupId) {
        if let Err(error) = self.remove_objects(id).await {
            tracing::warn!(%error, "an unfinished backup could not be removed; a later backup tries again");
        }
    }

    async fn list(&self) -> Result<Vec<BackupId>> {
        let mut whole = Vec::new();
        for id in self.folders().await? {
            if self.is_complete(&id).await? {
                whole.push(id);
            }
        }
        Ok(whole)
    }

    async fn read(&self, id: &BackupId, name: &str) -> Result<BackupContent> {
        names::check_file_name(name)?;
        match self.store.get(&self.object_key(id, name)).await {
            Ok(found) => Ok(found.into_stream().map_err(|error| bucket_error("backup.read", error)).boxed()),
            Err(object_store::Error::NotFound { .. }) => {
                let detail = format!("the backup {id} has no file {name} in {}", self.name);
                Err(Error::new(Code::NotFound, "backup.read", detail))
            }
            Err(error) => Err(bucket_error("backup.read", error)),
        }
    }

    async fn remove(&self, id: &BackupId) -> Result<()> {
        // Deleting the manifest first makes the backup incomplete, even if the next deletions fail.
        self.store
            .delete(&self.object_key(id, names::MANIFEST_FILE))
            .await
            .map_err(|error| bucket_error("backup.remove", error))?;
        self.remove_objects(id).await
    }

    async fn remove_unfinished(&self, now: Timestamp) -> Result<usize> {
        let mut removed = 0;
        for id in self.folders().await? {
            if now.since(id.started_at()) > ABANDONED_AFTER && !self.is_complete(&id).await? {
                self.remove_objects(&id).await?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    fn describe(&self) -> String {
        self.name.clone()
    }
}

impl fmt::Debug for BucketDestination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket").field("name", &self.name).finish_non_exhaustive()
    }
}

fn bucket_error(operation: &'static str, error: object_store::Error) -> Error {
    let detail = match &error {
        object_store::Error::Unauthenticated { .. } | object_store::Error::PermissionDenied { .. } => {
            "the bucket refuses the credentials; check them and their rights to read, write, list and delete"
        }
        object_store::Error::NotFound { .. } => "the bucket or the object does not exist; check the destination",
        _ => "the bucket returned an unexpected error, which is in the log; try again",
    };
    Error::new(Code::BackendUnavailable, operation, detail).with_source(error)
}
