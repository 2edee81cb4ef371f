//! Backups: what a backup consists of, where it is kept, and how it is made, verified, removed and restored.
//!
//! A backup is a folder of files named after its [`BackupId`], in a [`Backups`] destination: a local folder or a bucket. Its
//! `manifest.json` lists every other file with size and SHA-256 and says which position the copy stands at. It is written last, so
//! that a backup without one is unfinished: it is never listed, and is removed by a later run.
//!
//! ```text
//! <destination>/20261201T042313Z-5f0c9a3e/manifest.json
//!                                         SHA256SUMS       the same hashes, for `sha256sum -c`
//!                                         root.key.sealed  only if the root key is kept in backups
//!                                         store/engines.db
//!                                         <source>/…       one folder for each other source
//! ```
//!
//! ```
//! # async fn example() -> engines_core::Result<()> {
//! use engines_core::{IdGenerator, SystemClock};
//! use engines_storage::backup::{Backups, NewBackup};
//! # let folder = tempfile::tempdir().map_err(|error| engines_core::Error::unavailable("example", error))?;
//! # let store = engines_storage::MemoryStore::new(&IdGenerator::from_os()?);
//! let backups = Backups::folder(folder.path().join("backups"));
//! let made = backups.create(NewBackup::of(&store, &SystemClock, &IdGenerator::from_os()?)).await?;
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
