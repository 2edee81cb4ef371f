//! [`NewBackup`]: creates a backup.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use engines_core::{
    Clock, Code, Error, IdGenerator, Result, Store,
    nexus::{BackupContent, BackupFiles, BackupPosition, BackupSource, CopyLimits},
};
use futures_util::stream;

use super::{
    BackedUpStore, BackupId, BackupManifest, FileEntry, RootKeyEntry,
    destination::BackupDestination,
    names,
    staging::{SourceFiles, StagingFolder, put},
};

const OPERATION: &str = "backup.create";

/// The options of a new backup; [`Backups::create`](super::Backups::create) makes it.
#[must_use]
pub struct NewBackup<'a> {
    store: &'a dyn Store,
    sources: Vec<&'a dyn BackupSource>,
    clock: &'a dyn Clock,
    ids: &'a IdGenerator,
    limits: CopyLimits,
    work_folder: PathBuf,
    id: Option<BackupId>,
    root_key: Option<(RootKeyEntry, Option<Vec<u8>>)>,
}

impl<'a> NewBackup<'a> {
    /// Prepares a backup of `store` alone, at the default speed.
    pub fn new(store: &'a dyn Store, clock: &'a dyn Clock, ids: &'a IdGenerator) -> Self {
        let (sources, limits, work) = (Vec::new(), CopyLimits::default(), std::env::temp_dir());
        Self { store, sources, clock, ids, limits, work_folder: work, id: None, root_key: None }
    }

    /// Adds a further source. Sources are copied after the store, in the order in which they were added.
    pub fn source(mut self, source: &'a dyn BackupSource) -> Self {
        self.sources.push(source);
        self
    }

    /// Sets the backup's id. Default: a new one.
    pub fn id(mut self, id: BackupId) -> Self {
        self.id = Some(id);
        self
    }

    /// Sets the limits on the speed of the copy.
    pub fn limits(mut self, limits: CopyLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the local folder for files that are written before they are uploaded to a bucket. It needs free space for
    /// a copy of the store. Default: the system's folder for temporary files. A backup into a folder does not use it.
    pub fn work_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.work_folder = folder.into();
        self
    }

    /// Records the fingerprint of the deployment's root key. `sealed` is the sealed key, if the backup is to contain
    /// it.
    pub fn root_key(mut self, fingerprint: impl Into<String>, sealed: Option<Vec<u8>>) -> Self {
        let entry = RootKeyEntry { fingerprint: fingerprint.into(), sealed: sealed.is_some() };
        self.root_key = Some((entry, sealed));
        self
    }

    pub(super) async fn run(self, destination: &dyn BackupDestination) -> Result<BackupManifest> {
        let source = self.store.backup_source().ok_or_else(|| {
            let detail = format!(
                "the backend {} does not support backups; use the backend's own tools",
                self.store.capabilities().name
            );
            Error::new(Code::OpInvalid, OPERATION, detail)
        })?;
        let lock = destination.lock().await?;
        let now = self.clock.now();
        match destination.remove_unfinished(now).await {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "removed unfinished backups"),
            Err(error) => tracing::warn!(%error, "unfinished backups could not be removed"),
        }
        let id = self.id.clone().unwrap_or_else(|| BackupId::new(now, self.ids));
        let mut abandoned = AbandonGuard { destination, id: Some(&id) };
        let made = self.write_files(destination, &id, source).await;
        abandoned.id = None;
        if made.is_err() {
            destination.abandon(&id).await;
        }
        drop(lock);
        made
    }

    async fn write_files(
        &self,
        destination: &dyn BackupDestination,
        id: &BackupId,
        source: &dyn BackupSource,
    ) -> Result<BackupManifest> {
        let staging = StagingFolder::open(destination, id, &self.work_folder).await?;
        // Taken before the copy begins: every write that was acknowledged by now is in the copy.
        let as_of = self.clock.now();
        let (position, mut files) = self.copy_source(destination, id, &staging, source).await?;
        let position =
            position.ok_or_else(|| Error::internal(OPERATION, "the store's backup source returned no position"))?;
        for source in &self.sources {
            let (_, added) = self.copy_source(destination, id, &staging, *source).await?;
            files.extend(added);
        }
        let root_key = match &self.root_key {
            Some((entry, sealed)) => {
                if let Some(sealed) = sealed {
                    files.push(put(destination, id, names::ROOT_KEY_FILE, single_chunk(sealed.clone())).await?);
                }
                Some(entry.clone())
            }
            None => None,
        };
        let manifest = BackupManifest {
            format: BackupManifest::FORMAT,
            id: id.clone(),
            program: concat!("engines ", env!("CARGO_PKG_VERSION")).to_owned(),
            store: self.describe_store(),
            as_of,
            finished_at: self.clock.now(),
            position,
            root_key,
            files,
        };
        let encoded = manifest.encode()?;
        put(destination, id, names::SUMS_FILE, single_chunk(manifest.sha256_sums(&encoded).into_bytes())).await?;
        destination.finish(id, encoded).await?;
        Ok(manifest)
    }

    async fn copy_source(
        &self,
        destination: &dyn BackupDestination,
        id: &BackupId,
        staging: &StagingFolder,
        source: &dyn BackupSource,
    ) -> Result<(Option<BackupPosition>, Vec<FileEntry>)> {
        let mut files = SourceFiles::new(destination, id, staging, source.name())?;
        let position = source.back_up(&mut files as &mut dyn BackupFiles, self.limits).await?;
        Ok((position, files.entries))
    }

    fn describe_store(&self) -> BackedUpStore {
        let backend = self.store.capabilities().name;
        #[cfg(feature = "sqlite")]
        let schema = (backend == "sqlite").then(crate::sqlite::backup::schema_version);
        #[cfg(not(feature = "sqlite"))]
        let schema = None;
        BackedUpStore { backend: backend.to_owned(), schema }
    }
}

/// Logs that an unfinished backup is left when the future that makes it is dropped.
struct AbandonGuard<'a> {
    destination: &'a dyn BackupDestination,
    id: Option<&'a BackupId>,
}

impl Drop for AbandonGuard<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            let destination = self.destination.describe();
            tracing::warn!(%id, destination, "a backup was cancelled; the next backup removes its files");
        }
    }
}

/// Returns content from memory as a stream.
fn single_chunk(content: Vec<u8>) -> BackupContent {
    Box::pin(stream::once(async move { Ok(Bytes::from(content)) }))
}

impl fmt::Debug for NewBackup<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sources: Vec<_> = self.sources.iter().map(|source| source.name()).collect();
        let work: &Path = &self.work_folder;
        f.debug_struct("NewBackup")
            .field("sources", &sources)
            .field("limits", &self.limits)
            .field("work", &work)
            .finish_non_exhaustive()
    }
}
