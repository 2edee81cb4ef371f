//! Verifies a backup from end to end.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use engines_core::{
    Code, Error, Guard, IdGenerator, Limits, RequestContext, ResourceId, Result, Store, SystemClock,
    nexus::{DocumentQuery, PageRequest, ScopePosition},
};
use engines_storage::{
    SqliteOptions, SqliteStore,
    backup::{BackupId, BackupManifest, Backups},
};
use engines_stream::canvas::{CANVAS, CanvasService};
use serde::Serialize;

use super::RestoreKeys;

const OPERATION: &str = "backup.verify";
/// Canvases listed at a time.
const CANVASES_PER_PAGE: usize = 100;

/// How a backup is verified.
#[derive(Debug, Clone, Copy)]
pub struct VerifyOptions<'a> {
    /// A local folder with room for a copy of the data file.
    pub work_folder: &'a Path,
    /// The root key or the passphrase under which it is sealed; without either, the key is not checked.
    pub keys: RestoreKeys<'a>,
}

/// The result of a verification that found no fault.
#[derive(Debug, Clone, Serialize)]
pub struct VerifyReport {
    /// The backup's manifest.
    pub manifest: BackupManifest,
    /// Whether the given or the sealed root key is the one that the data needs; `None` when it was not checked or the
    /// backup needs none.
    pub root_key: Option<bool>,
    /// Canvases whose logs were replayed.
    pub canvases: u64,
    /// Commits that were replayed.
    pub commits: u64,
    /// Snapshots whose hash equals that of the replayed state.
    pub snapshots: u64,
}

/// Verifies a backup: sizes and hashes of all files, that the sealed root key opens and is the right one, the data
/// file's integrity and position, and that each canvas's log gives the states of its snapshots.
///
/// # Errors
/// `HASH_MISMATCH` for a file or a canvas that differs, `OP_INVALID` for a wrong root key, `BACKEND_UNAVAILABLE` when
/// the data file is damaged or the destination does not answer.
pub async fn verify(
    backups: &Backups,
    id: &BackupId,
    how: VerifyOptions<'_>,
    ids: &IdGenerator,
) -> Result<VerifyReport> {
    let manifest = backups.manifest(id).await?;
    let keys = RestoreKeys { without_root_key: true, ..how.keys };
    let root_key = keys.find_root_key(backups, &manifest).await?.map(|_| true);
    let mut verified = VerifyReport { manifest, root_key, canvases: 0, commits: 0, snapshots: 0 };
    let data = verified.manifest.data_file().map(str::to_owned);
    for file in verified.manifest.files.iter().filter(|file| Some(&file.name) != data.as_ref()) {
        backups.verify_file(&verified.manifest, &file.name).await?;
    }
    if let Some(name) = data {
        let copy = TemporaryCopy::new(how.work_folder, id, ids)?;
        let path = copy.0.join("engines.db");
        backups.fetch(&verified.manifest, &name, &path).await?;
        let (manifest, checked) = (verified.manifest.clone(), path.clone());
        run_blocking(move || manifest.check_data_file(&checked)).await?;
        let store = Arc::new(run_blocking(move || SqliteStore::open(path, SqliteOptions::default())).await?);
        let replayed = replay_canvases(&store, &mut verified, ids).await;
        store.close().await;
        replayed?;
    }
    Ok(verified)
}

async fn replay_canvases(store: &Arc<SqliteStore>, verified: &mut VerifyReport, ids: &IdGenerator) -> Result<()> {
    let guard = Guard::new(Arc::new(engines_core::gate::AllowAll), Arc::new(SystemClock), ids.clone());
    let store: Arc<dyn Store> = Arc::<SqliteStore>::clone(store);
    let canvases = CanvasService::new(Arc::clone(&store), guard, Arc::new(Limits::default()));
    for ScopePosition { scope, .. } in &verified.manifest.position.scopes {
        let context = RequestContext::system(scope.clone(), "verify a backup", &SystemClock, ids)?;
        let mut page = PageRequest::first(CANVASES_PER_PAGE);
        loop {
            let found = store.query(scope, &DocumentQuery::of_kind(CANVAS), page).await?;
            for document in &found.items {
                let checked = canvases.check(&context, &ResourceId::new(document.id.as_str())?).await?;
                verified.canvases += 1;
                verified.commits += checked.commits;
                verified.snapshots += checked.snapshots;
            }
            match found.next {
                Some(next) => page = PageRequest::after(CANVASES_PER_PAGE, next),
                None => break,
            }
        }
    }
    Ok(())
}

async fn run_blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Error::internal(OPERATION, error))?
}

/// A folder for the copy; removed when dropped.
struct TemporaryCopy(PathBuf);

impl TemporaryCopy {
    fn new(work: &Path, id: &BackupId, ids: &IdGenerator) -> Result<Self> {
        let path = work.join(format!("engines-verify-{id}-{:016x}", u64::from_be_bytes(ids.bytes())));
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&path).map_err(|error| {
            let detail = format!("{} cannot be made: {error}", path.display());
            Error::new(Code::BackendUnavailable, OPERATION, detail).with_source(error)
        })?;
        Ok(Self(path))
    }
}

impl Drop for TemporaryCopy {
    fn drop(&mut self) {
        // The folder holds only a temporary copy, so a failure to remove it is ignored.
        let _ = fs::remove_dir_all(&self.0);
    }
}
