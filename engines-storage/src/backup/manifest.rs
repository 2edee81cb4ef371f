//! The manifest: what is in a backup, and how it is recognised as whole.

use engines_core::{Code, Error, Result, Timestamp, nexus::BackupPosition};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{BackupId, content::encode_hex, names};

/// The version of the format that this program writes.
const FORMAT: u32 = 1;
/// Bytes of a manifest that are read; a scope takes about 130.
pub(super) const MAX_MANIFEST_BYTES: u64 = 256 << 20;

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupManifest {
    /// The version of this format.
    pub format: u32,
    /// The backup's name.
    pub id: BackupId,
    /// The program that made it, with its version.
    pub program: String,
    /// The store it is a copy of.
    pub store: BackedUpStore,
    /// Every write that was acknowledged before this instant (of the clock of the process that made it) is in the backup.
    pub as_of: Timestamp,
    /// When it was complete.
    pub finished_at: Timestamp,
    /// The position the copy stands at.
    pub position: BackupPosition,
    /// The deployment's root key; none if it has none.
    pub root_key: Option<RootKeyEntry>,
    /// All other files.
    pub files: Vec<FileEntry>,
}

/// The store that was copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackedUpStore {
    /// The backend's name: `sqlite`.
    pub backend: String,
    /// The version of its schema, if it has one.
    pub schema: Option<u32>,
}

/// Which root key the data needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootKeyEntry {
    /// Tells this key from others, and nothing else of it.
    pub fingerprint: String,
    /// Whether it is in the backup, sealed under a passphrase (`root.key.sealed`); otherwise it must be kept apart.
    pub sealed: bool,
}

/// A file of the backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Its path in the backup's folder.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// The SHA-256 of its content, in hexadecimal.
    pub sha256: String,
}

impl BackupManifest {
    pub(super) const FORMAT: u32 = FORMAT;

    /// Reads the manifest of the backup `id`.
    ///
    /// # Errors
    /// `BACKEND_UNAVAILABLE` when it is no manifest, one of another backup or of a newer format.
    pub(super) fn parse(id: &BackupId, text: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct ManifestVersion {
            format: u32,
        }
        let damaged = |error: serde_json::Error| invalid_manifest(id, "is damaged or no manifest").with_source(error);
        let version: ManifestVersion = serde_json::from_slice(text).map_err(damaged)?;
        if version.format == 0 || version.format > FORMAT {
            return Err(invalid_manifest(
                id,
                "has a format this program does not know; use the newer program that made it",
            ));
        }
        let manifest: Self = serde_json::from_slice(text).map_err(damaged)?;
        if manifest.id != *id {
            return Err(invalid_manifest(id, "names another backup"));
        }
        for file in &manifest.files {
            names::check_file_name(&file.name).map_err(|_| invalid_manifest(id, "names a file that no backup has"))?;
        }
        Ok(manifest)
    }

    /// As text.
    pub(super) fn encode(&self) -> Result<Vec<u8>> {
        let mut text = serde_json::to_vec_pretty(self).map_err(|error| Error::internal("backup.manifest", error))?;
        text.push(b'\n');
        Ok(text)
    }

    /// The hashes of all files in the form of `sha256sum`, with the manifest's own.
    pub(super) fn sha256_sums(&self, encoded: &[u8]) -> String {
        let own = encode_hex(&Sha256::digest(encoded));
        let files = self.files.iter().map(|file| (file.sha256.as_str(), file.name.as_str()));
        files.chain([(own.as_str(), names::MANIFEST_FILE)]).map(|(hash, name)| format!("{hash}  {name}\n")).collect()
    }

    /// The name of the copy of the data file, in a backup of a store that keeps everything in one.
    #[must_use]
    pub fn data_file(&self) -> Option<&str> {
        let name = self.files.iter().map(|file| file.name.as_str()).find(|name| *name == "store/engines.db");
        name.filter(|_| self.store.backend == "sqlite")
    }

    /// Checks a copy of the data file that was fetched: that it is whole (`PRAGMA integrity_check`) and stands at
    /// [`Manifest::position`]. Blocks for as long as reading it takes.
    ///
    /// # Errors
    /// `BACKEND_UNAVAILABLE` when it does not, or this program does not know its schema.
    #[cfg(feature = "sqlite")]
    pub fn check_data_file(&self, path: &std::path::Path) -> Result<()> {
        match crate::sqlite::backup::check_copy(path)? == self.position {
            true => Ok(()),
            false => {
                Err(invalid_manifest(&self.id, "names another position than the copy stands at; use another backup"))
            }
        }
    }

    /// Bytes of all files.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// One of its files.
    ///
    /// # Errors
    /// `NOT_FOUND` when it has none of this name.
    pub fn file(&self, name: &str) -> Result<&FileEntry> {
        self.files.iter().find(|file| file.name == name).ok_or_else(|| {
            Error::new(Code::NotFound, "backup.read", format!("the backup {} has no file {name}", self.id))
        })
    }
}

fn invalid_manifest(id: &BackupId, what: &str) -> Error {
    Error::new(Code::BackendUnavailable, "backup.manifest", format!("the manifest of the backup {id} {what}"))
}
