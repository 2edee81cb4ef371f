//! [`Backups`]: creates, lists, verifies, prunes and restores the backups in one destination.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use engines_core::{Code, Error, Result, Timestamp, nexus::BackupContent};
use futures_util::StreamExt;

use super::{
    BackupId, BackupManifest, BackupRetention, NewBackup,
    content::{hash_content, verify_content, write_file},
    destination::BackupDestination,
    folder::FolderDestination,
    manifest::MAX_MANIFEST_BYTES,
    names,
};

/// The backups in one destination. Clones are cheap.
#[derive(Debug, Clone)]
pub struct Backups(Arc<dyn BackupDestination>);

impl Backups {
    /// Uses a local folder. It is created with the first backup.
    #[must_use]
    pub fn folder(path: impl Into<PathBuf>) -> Self {
        Self(Arc::new(FolderDestination(path.into())))
    }

    /// Uses a prefix of a bucket. `name` describes the destination in messages.
    ///
    /// # Errors
    ///
    /// `BACKEND_UNAVAILABLE` when the prefix is malformed.
    #[cfg(feature = "object-store")]
    pub fn bucket(store: Arc<dyn object_store::ObjectStore>, prefix: &str, name: impl Into<String>) -> Result<Self> {
        Ok(Self(Arc::new(super::bucket::BucketDestination::new(store, prefix, name.into())?)))
    }

    /// Parses a destination: the path of a folder, a `file:` URL, or the URL of a bucket: `s3://bucket/prefix`
    /// (feature `aws`), `gs://bucket/prefix` (`gcp`), `az://container/prefix` (`azure`).
    ///
    /// Credentials, region and endpoint of a bucket come from the environment variables that its vendor documents
    /// (`AWS_ACCESS_KEY_ID`, `AWS_REGION`, `AWS_ENDPOINT`, `GOOGLE_SERVICE_ACCOUNT`, `AZURE_STORAGE_ACCOUNT_NAME`,
    /// …).
    ///
    /// # Errors
    ///
    /// `BODY_INVALID` when this program was built without the URL's scheme, `BACKEND_UNAVAILABLE` when the URL or the
    /// bucket's settings are invalid.
    pub fn open(place: &str) -> Result<Self> {
        match place.split_once("://") {
            None => Ok(Self::folder(place)),
            Some(("file", path)) => Ok(Self::folder(path)),
            Some((scheme, _)) => Self::open_bucket(scheme, place),
        }
    }

    #[cfg(feature = "object-store")]
    fn open_bucket(scheme: &str, place: &str) -> Result<Self> {
        const OPERATION: &str = "backup.destination";
        let schemes: [(&[&str], bool); 3] = [
            (&["s3", "s3a"], cfg!(feature = "aws")),
            (&["gs"], cfg!(feature = "gcp")),
            (&["az", "azure", "abfs", "abfss"], cfg!(feature = "azure")),
        ];
        let built = schemes.iter().any(|(names, built)| *built && names.contains(&scheme));
        if !built {
            return Err(unsupported_scheme(scheme));
        }
        let malformed = |error: Box<dyn std::error::Error + Send + Sync>| {
            let detail = "the destination of backups is not the URL of a bucket, or the bucket's settings in the environment are invalid";
            Error::new(Code::BackendUnavailable, OPERATION, detail).with_source(error)
        };
        let url = url::Url::parse(place).map_err(|error| malformed(error.into()))?;
        let variables =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        let (store, prefix) = object_store::parse_url_opts(&url, variables).map_err(|error| malformed(error.into()))?;
        Self::bucket(Arc::from(store), prefix.as_ref(), place)
    }

    #[cfg(not(feature = "object-store"))]
    fn open_bucket(scheme: &str, _: &str) -> Result<Self> {
        Err(unsupported_scheme(scheme))
    }

    /// Returns a description of the destination for messages.
    #[must_use]
    pub fn describe(&self) -> String {
        self.0.describe()
    }

    /// Makes a backup. The store stays in use meanwhile.
    ///
    /// # Errors
    ///
    /// `ALREADY_EXISTS` when another backup is being made, `OP_INVALID` when the store does not support backups,
    /// `BACKEND_UNAVAILABLE` when a source, the disk or the destination fails. A failed backup is never listed.
    pub async fn create(&self, new: NewBackup<'_>) -> Result<BackupManifest> {
        new.run(&*self.0).await
    }

    /// Returns the ids of all complete backups, oldest first.
    ///
    /// # Errors
    ///
    /// `BACKEND_UNAVAILABLE` when the destination does not answer.
    pub async fn ids(&self) -> Result<Vec<BackupId>> {
        self.0.list().await
    }

    /// Returns all complete backups, oldest first. Each comes with its manifest, or with the error of reading it.
    ///
    /// # Errors
    ///
    /// The errors of [`Backups::ids`].
    pub async fn list(&self) -> Result<Vec<(BackupId, Result<BackupManifest>)>> {
        let mut found = Vec::new();
        for id in self.ids().await? {
            let manifest = self.manifest(&id).await;
            found.push((id, manifest));
        }
        Ok(found)
    }

    /// Returns the manifest of the newest complete backup whose manifest is readable.
    ///
    /// # Errors
    ///
    /// The errors of [`Backups::ids`].
    pub async fn latest(&self) -> Result<Option<BackupManifest>> {
        for id in self.ids().await?.iter().rev() {
            match self.manifest(id).await {
                Ok(manifest) => return Ok(Some(manifest)),
                Err(error) => tracing::warn!(%error, %id, "the manifest of a backup cannot be read"),
            }
        }
        Ok(None)
    }

    /// Reads the manifest of a backup.
    ///
    /// # Errors
    ///
    /// `NOT_FOUND` when there is no such backup, `BACKEND_UNAVAILABLE` when the manifest is damaged or has a newer
    /// format, and the errors of [`Backups::ids`].
    pub async fn manifest(&self, id: &BackupId) -> Result<BackupManifest> {
        let mut content = self.0.read(id, names::MANIFEST_FILE).await?;
        let mut text = Vec::new();
        while let Some(chunk) = content.next().await {
            text.extend_from_slice(&chunk?);
            if text.len() as u64 > MAX_MANIFEST_BYTES {
                let detail = format!("the manifest of the backup {id} is larger than a manifest may be");
                return Err(Error::new(Code::BackendUnavailable, "backup.manifest", detail));
            }
        }
        BackupManifest::parse(id, &text)
    }

    /// Returns the content of a file of a backup. The stream ends with an error when size or hash differ from the
    /// manifest.
    ///
    /// # Errors
    ///
    /// `NOT_FOUND` when there is no such file, and the errors of [`Backups::ids`].
    pub async fn read(&self, manifest: &BackupManifest, name: &str) -> Result<BackupContent> {
        let entry = manifest.file(name)?;
        Ok(verify_content(entry, self.0.read(&manifest.id, name).await?))
    }

    /// Returns the sealed root key; `None` when the backup does not contain it.
    ///
    /// # Errors
    ///
    /// The errors of [`Backups::read`].
    pub async fn sealed_root_key(&self, manifest: &BackupManifest) -> Result<Option<Vec<u8>>> {
        const MAX_SEALED_KEY_BYTES: usize = 64 << 10;
        if !manifest.root_key.as_ref().is_some_and(|key| key.sealed) {
            return Ok(None);
        }
        let mut content = self.read(manifest, names::ROOT_KEY_FILE).await?;
        let mut sealed = Vec::new();
        while let Some(chunk) = content.next().await {
            sealed.extend_from_slice(&chunk?);
            if sealed.len() > MAX_SEALED_KEY_BYTES {
                let detail = "the sealed root key is larger than a sealed key may be";
                return Err(Error::new(Code::BackendUnavailable, "backup.root_key", detail));
            }
        }
        Ok(Some(sealed))
    }

    /// Writes a file of a backup to a new local file. When the content is damaged, the local file is removed.
    ///
    /// # Errors
    ///
    /// `HASH_MISMATCH` when the file differs from the manifest, and the errors of [`Backups::read`].
    pub async fn fetch(&self, manifest: &BackupManifest, name: &str, path: &Path) -> Result<()> {
        let content = self.read(manifest, name).await?;
        let written = write_file(path, content).await;
        if written.is_err() {
            // The first error is returned; an error of the removal would hide it.
            let _ = std::fs::remove_file(path);
        }
        written
    }

    /// Reads one file of a backup to its end and compares its size and hash with the manifest.
    ///
    /// # Errors
    ///
    /// `HASH_MISMATCH` when the file differs, and the errors of [`Backups::read`].
    pub async fn verify_file(&self, manifest: &BackupManifest, name: &str) -> Result<()> {
        hash_content(name, self.read(manifest, name).await?).await.map(drop)
    }

    /// Reads every file of a backup and compares sizes and hashes with the manifest. Returns the manifest.
    ///
    /// # Errors
    ///
    /// `HASH_MISMATCH` for the first file that differs, `NOT_FOUND` for the first file that is missing, and the
    /// errors of [`Backups::manifest`].
    pub async fn verify_files(&self, id: &BackupId) -> Result<BackupManifest> {
        let manifest = self.manifest(id).await?;
        for entry in &manifest.files {
            self.verify_file(&manifest, &entry.name).await?;
        }
        Ok(manifest)
    }

    /// Removes the backups that `retention` does not keep, and returns their ids. A backup with an unreadable
    /// manifest is neither counted nor removed, so that the newest readable backup always stays.
    ///
    /// # Errors
    ///
    /// `ALREADY_EXISTS` while a backup is being made, and the errors of [`Backups::ids`].
    pub async fn prune(&self, retention: BackupRetention, now: Timestamp) -> Result<Vec<BackupId>> {
        let _lock = self.0.lock().await?;
        let mut whole = Vec::new();
        for (id, manifest) in self.list().await? {
            match manifest {
                Ok(_) => whole.push(id),
                Err(error) => tracing::warn!(%error, %id, "a backup with an unreadable manifest is kept; inspect it"),
            }
        }
        let expired = retention.expired(&whole, now);
        for id in &expired {
            self.0.remove(id).await?;
        }
        Ok(expired)
    }
}

fn unsupported_scheme(scheme: &str) -> Error {
    let detail = format!(
        "{scheme}:// is not a destination for backups, or this program was built without it: s3:// needs the feature aws, gs:// gcp, az:// azure"
    );
    Error::new(Code::BodyInvalid, "backup.destination", detail)
}
