//! Backups of a store in a local folder or a bucket: create, list, verify, remove and restore them.
//!
//! A backup is a folder of files named after its [`BackupId`], in a [`Backups`] destination. Its `manifest.json`
//! lists every other file with its size and SHA-256, and states the log position of the copy. The manifest is written
//! last: a backup without a manifest is unfinished, is not listed, and is removed by a later run.
//!
//! ```text
//! <destination>/20261201T042313Z-5f0c9a3e/manifest.json
//!                                         SHA256SUMS       the same hashes, for `sha256sum -c`
//!                                         root.key.sealed  only if the backup stores the root key
//!                                         store/engines.db
//!                                         <source>/…       one folder for each further source
//! ```
//!
//! ```
//! # async fn example() -> engines_core::Result<()> {
//! use engines_core::{IdGenerator, SystemClock};
//! use engines_storage::backup::{Backups, NewBackup};
//! # let folder = tempfile::tempdir().map_err(|error| engines_core::Error::unavailable("example", error))?;
//! # let store = engines_storage::MemoryStore::new(&IdGenerator::from_os()?);
//! let backups = Backups::folder(folder.path().join("backups"));
//! let made = backups.create(NewBackup::new(&store, &SystemClock, &IdGenerator::from_os()?)).await?;
//! let verified = backups.verify_files(&made.id).await?;
//! assert_eq!(verified.files, made.files);
//! # Ok(())
//! # }
//! ```

#[cfg(feature = "object-store")]
mod bucket;
mod content;
mod create;
mod destination;
mod folder;
mod id;
mod manifest;
mod names;
mod restore;
mod retention;
mod service;
mod staging;

pub use self::{
    create::NewBackup,
    id::BackupId,
    manifest::{BackedUpStore, BackupManifest, FileEntry, RootKeyEntry},
    restore::{Restore, RestoreReport},
    retention::BackupRetention,
    service::Backups,
};
