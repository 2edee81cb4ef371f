//! Restores a backup into a data folder, with the right root key.

use std::path::Path;

use engines_auth::{Passphrase, RootKey};
use engines_core::{Code, Error, IdGenerator, Result};
use engines_storage::backup::{BackupId, BackupManifest, Backups, Restore, RestoreReport};

const OPERATION: &str = "backup.restore";

/// The sources of the root key when a backup is restored or verified.
#[derive(Debug, Clone, Copy, Default)]
pub struct RestoreKeys<'a> {
    /// The root key, if it was kept separately.
    pub root: Option<&'a RootKey>,
    /// The server will get the root key from another source than `root.key` in the data folder.
    pub root_key_supplied_later: bool,
    /// The passphrase under which the root key is sealed in the backup.
    pub passphrase: Option<&'a Passphrase>,
    /// Restores without the root key; the server must be started with it.
    pub without_root_key: bool,
}

impl RestoreKeys<'_> {
    /// The root key that `manifest` names, from the source that has it; `None` if the backup needs none or none is
    /// wanted.
    ///
    /// # Errors
    /// `OP_INVALID` when no source has it, or the given one is another key.
    pub(super) async fn find_root_key(&self, backups: &Backups, manifest: &BackupManifest) -> Result<Option<RootKey>> {
        let Some(entry) = &manifest.root_key else { return Ok(None) };
        let found = match (self.root, self.passphrase) {
            (Some(root), _) => root.clone(),
            (None, Some(passphrase)) if entry.sealed => {
                let sealed = backups.sealed_root_key(manifest).await?.unwrap_or_default();
                let passphrase = passphrase.clone();
                let opened = tokio::task::spawn_blocking(move || passphrase.open(&sealed)).await;
                opened.map_err(|error| Error::internal(OPERATION, error))??
            }
            _ if self.without_root_key => return Ok(None),
            _ => {
                let how = match entry.sealed {
                    true => "give the passphrase it is sealed under, or the key itself",
                    false => "it was kept apart from the backup; give it",
                };
                let detail = format!("these data need the root key with the fingerprint {}: {how}", entry.fingerprint);
                return Err(Error::new(Code::OpInvalid, OPERATION, detail));
            }
        };
        let fingerprint = found.fingerprint()?;
        if fingerprint != entry.fingerprint {
            let detail = format!(
                "the root key that was given has the fingerprint {fingerprint}; these data need the one with {}",
                entry.fingerprint
            );
            return Err(Error::new(Code::OpInvalid, OPERATION, detail));
        }
        Ok(Some(found))
    }
}

/// Restores a backup into `folder`, which must be empty or absent. The root key is checked before anything is copied,
/// and written to `root.key` in the folder unless it is kept elsewhere.
///
/// # Errors
/// `OP_INVALID` for a missing or wrong root key; otherwise as [`Restore`].
pub async fn restore(
    backups: &Backups,
    id: &BackupId,
    folder: &Path,
    keys: RestoreKeys<'_>,
    ids: &IdGenerator,
) -> Result<RestoreReport> {
    let manifest = backups.manifest(id).await?;
    let root = keys.find_root_key(backups, &manifest).await?;
    let restore = Restore::new(id.clone(), folder, ids);
    let restore = match &root {
        Some(root) if !keys.root_key_supplied_later => restore.root_key(root.expose()),
        _ => restore,
    };
    backups.restore(restore).await
}
