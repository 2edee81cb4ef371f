//! Contracts for backups: what a store, and every other part that keeps data, implements so that it can be backed up.
//!
//! A backup is a set of named files. A [`BackupSource`] writes a consistent copy of its data into these files.
//! `engines_storage::backup` decides where the files go (a folder, an object store), computes their hashes and removes
//! old backups.
//! A backend offers its source through [`Store::backup_source`](super::Store::backup_source).

use std::{fmt, path::PathBuf, pin::Pin};

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::Stream;
use serde::{Deserialize, Serialize};

use crate::{error::Result, scope::Scope, stream::LogId};

/// The content of a file as chunks of any size. The stream ends after the first error.
pub type BackupContent = Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>;

/// Limits on how fast a source copies and on how many changes its backend retains during the copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CopyLimits {
    /// Bytes copied per second; 0 means no limit.
    pub bytes_per_s: u64,
    /// Bytes of changes that the backend may retain while the copy runs; 0 means no limit. From half of this value on,
    /// the copy ignores `bytes_per_s`, because a longer copy makes the log longer. Past this value the copy fails.
    pub log_bytes: u64,
}

impl Default for CopyLimits {
    /// 64 MiB per second, 2 GiB of changes.
    fn default() -> Self {
        Self { bytes_per_s: 64 << 20, log_bytes: 2 << 30 }
    }
}

/// The positions of one scope's logs at the time of the copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopePosition {
    /// The scope.
    #[serde(flatten)]
    pub scope: Scope,
    /// The `seq` of its last dataset event; 0 for none.
    pub events: u64,
    /// The number of audit records ever written.
    pub audit: u64,
    /// The number of streams.
    pub streams: u64,
    /// The sum of all its streams' heads: the number of events ever appended to them.
    pub appended: u64,
}

/// The point in time that every part of a copy shows: the copy contains what was acknowledged before it and nothing
/// that was begun after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupPosition {
    /// The log it was copied from.
    #[serde(with = "log_id")]
    pub log_id: LogId,
    /// The outbox position of the last dataset event of all scopes; 0 for none.
    pub feed: u64,
    /// Every scope, ordered by tenant, then environment.
    pub scopes: Vec<ScopePosition>,
}

/// Receives the files of a source's copy.
///
/// File names are relative: one or more segments of letters, digits, `.`, `_` and `-`, separated by `/`, at most 256
/// bytes in all; no segment begins with a `.`.
#[async_trait]
pub trait BackupFiles: Send {
    /// A path on the local disk at which the source may write the file `name` itself. It becomes part of the backup
    /// with [`BackupFiles::add_local`], and is removed if that is never called.
    ///
    /// # Errors
    /// `INTERNAL` when the name is malformed, `BACKEND_UNAVAILABLE` when its folder cannot be made.
    fn local_path(&mut self, name: &str) -> Result<PathBuf>;

    /// Adds the file that was written at [`BackupFiles::local_path`]. It must be complete and closed.
    ///
    /// # Errors
    /// `BACKEND_UNAVAILABLE` when it cannot be read or stored; `INTERNAL` when the name was added before.
    async fn add_local(&mut self, name: &str) -> Result<()>;

    /// Adds a file chunk by chunk, with bounded memory.
    ///
    /// # Errors
    /// The content's own error; else as [`BackupFiles::add_local`].
    async fn add_stream(&mut self, name: &str, content: BackupContent) -> Result<()>;
}

/// A part that can be backed up: a store, or data kept beside it, such as the bytes of artifacts.
#[async_trait]
pub trait BackupSource: Send + Sync + fmt::Debug {
    /// The source's name: 1 to 32 bytes of lower-case letters, digits, `_` and `-`. It is the folder of the source's
    /// files in every backup and must never change.
    fn name(&self) -> &str;

    /// Writes a consistent copy into `files` while the source stays in use.
    ///
    /// A store's source is called first and returns the position it copied. Every other source is called afterwards,
    /// returns `None`, and must copy at least everything that the store referred to at that position.
    ///
    /// Dropping the future stops the copy.
    ///
    /// # Errors
    /// `BACKEND_UNAVAILABLE` when the source cannot be read, a file cannot be written, or a limit of `limits` was
    /// exceeded.
    async fn back_up(&self, files: &mut dyn BackupFiles, limits: CopyLimits) -> Result<Option<BackupPosition>>;
}

/// Receives the files of a [`BackupSource`] when a backup is restored. If no target has a source's name, its files are
/// put into a folder of that name in the restored data folder.
#[async_trait]
pub trait RestoreTarget: Send + Sync + fmt::Debug {
    /// The name of the source whose files this target receives.
    fn name(&self) -> &str;

    /// Stores one file. Its size and hash are verified while it is read: an error at the end of `content` means that
    /// the file is damaged and must not be kept.
    ///
    /// # Errors
    /// The error that `content` yields, or the failure to store the file.
    async fn restore(&self, name: &str, content: BackupContent) -> Result<()>;
}

/// Serialises a log id as 16 hexadecimal digits.
mod log_id {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::stream::LogId;

    pub(super) fn serialize<S: Serializer>(id: &LogId, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:016x}", u64::from_be_bytes(id.to_bytes())))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<LogId, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        match u64::from_str_radix(&text, 16) {
            Ok(id) if text.len() == 16 => Ok(LogId::from_bytes(id.to_be_bytes())),
            _ => Err(D::Error::custom("a log id is 16 hexadecimal digits")),
        }
    }
}
