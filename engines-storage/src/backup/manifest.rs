//! The manifest: it lists the files of a backup and marks the backup as complete.

use engines_core::{Code, Error, Result, Timestamp, hex, nexus::BackupPosition};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{BackupId, names};

/// The version of the format that this program writes.
const FORMAT: u32 = 1;
/// Maximum size of a manifest; a scope takes about 130 bytes.
pub(super) const MAX_MANIFEST_BYTES: u64 = 256 << 20;

/// The manifest of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupManifest {
    /// The version of the manifest's format.
    pub format: u32,
    /// The backup's id.
    pub id: BackupId,
    /// The name and version of the program that made the backup.
    pub program: String,
    /// The store that was copied.
    pub store: BackedUpStore,
    /// Every write that was acknowledged before this time is in the backup. It is the time of the clock of the
    /// process that made the backup.
    pub as_of: Timestamp,
    /// The time at which the backup was complete.
    pub finished_at: Timestamp,
    /// The log position of the copy.
    pub position: BackupPosition,
    /// The deployment's root key; `None` when the deployment has none.
    pub root_key: Option<RootKeyEntry>,
    /// All files except the manifest and `SHA256SUMS`.
    pub files: Vec<FileEntry>,
}

/// The store that was copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackedUpStore {
    /// The backend's name, such as `sqlite`.
    pub backend: String,
    /// The version of the backend's schema, if it has one.
    pub schema: Option<u32>,
}

/// The root key that is needed to read the restored data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootKeyEntry {
    /// A fingerprint that identifies the key and reveals nothing else about it.
    pub fingerprint: String,
    /// Whether the backup contains the key, sealed with a passphrase, as `root.key.sealed`. Otherwise the key must be
    /// stored elsewhere.
    pub sealed: bool,
}

/// A file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// The file's path in the backup's folder.
    pub name: String,
    /// The file's size in bytes.
    pub bytes: u64,
    /// SHA-256 of the file's content, in hexadecimal.
    pub sha256: String,
}

impl BackupManifest {
    pub(super) const FORMAT: u32 = FORMAT;

    /// Parses the manifest of the backup `id`.
    ///
    /// # Errors
    ///
    /// `BACKEND_UNAVAILABLE` when the text is not a manifest, belongs to another backup, or has a newer format.
    pub(super) fn parse(id: &BackupId, text: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct ManifestVersion {
            format: u32,
        }
        let damaged =
            |error: serde_json::Error| invalid_manifest(id, "is damaged or is not a manifest").with_source(error);
        let version: ManifestVersion = serde_json::from_slice(text).map_err(damaged)?;
        if version.format == 0 || version.format > FORMAT {
            return Err(invalid_manifest(
                id,
                "has a format that this program does not support; use the newer program that made the backup",
            ));
        }
        let manifest: Self = serde_json::from_slice(text).map_err(damaged)?;
        if manifest.id != *id {
            return Err(invalid_manifest(id, "belongs to another backup"));
        }
        for file in &manifest.files {
            names::check_file_name(&file.name).map_err(|_| invalid_manifest(id, "lists a malformed file name"))?;
        }
        Ok(manifest)
    }

    /// Encodes the manifest as JSON.
    pub(super) fn encode(&self) -> Result<Vec<u8>> {
        let mut text = serde_json::to_vec_pretty(self).map_err(|error| Error::internal("backup.manifest", error))?;
        text.push(b'\n');
        Ok(text)
    }

    /// Returns the hashes of all files, including the manifest, in the format of `sha256sum`.
    pub(super) fn sha256_sums(&self, encoded: &[u8]) -> String {
        let own = hex::encode(&Sha256::digest(encoded));
        let files = self.files.iter().map(|file| (file.sha256.as_str(), file.name.as_str()));
        files.chain([(own.as_str(), names::MANIFEST_FILE)]).map(|(hash, name)| format!("{hash}  {name}\n")).collect()
    }

    /// Returns the name of the copy of the data file; `None` when the store does not use a single data file.
    #[must_use]
    pub fn data_file(&self) -> Option<&str> {
        let name = self.files.iter().map(|file| file.name.as_str()).find(|name| *name == "store/engines.db");
        name.filter(|_| self.store.backend == "sqlite")
    }

    /// Checks a fetched copy of the data file: that it is not damaged (`PRAGMA integrity_check`) and that its log
    /// position is [`BackupManifest::position`]. Blocks while the whole file is read.
    ///
    /// # Errors
    ///
    /// `BACKEND_UNAVAILABLE` when the check fails or this program does not support the copy's schema.
    #[cfg(feature = "sqlite")]
    pub fn check_data_file(&self, path: &std::path::Path) -> Result<()> {
        match crate::sqlite::backup::check_copy(path)? == self.position {
            true => Ok(()),
            false => Err(invalid_manifest(&self.id, "states another position than the copy has; use another backup")),
        }
    }

    /// Returns the sum of the sizes of all files, in bytes.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// Returns the entry of a file.
    ///
    /// # Errors
    ///
    /// `NOT_FOUND` when the backup has no file of this name.
    pub fn file(&self, name: &str) -> Result<&FileEntry> {
        self.files.iter().find(|file| file.name == name).ok_or_else(|| {
            Error::new(Code::NotFound, "backup.read", format!("the backup {} has no file {name}", self.id))
        })
    }
}

fn invalid_manifest(id: &BackupId, what: &str) -> Error {
    Error::new(Code::BackendUnavailable, "backup.manifest", format!("the manifest of the backup {id} {what}"))
}
