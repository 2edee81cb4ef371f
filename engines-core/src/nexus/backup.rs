//! Backups: what a backend, and everything else that keeps data beside it, implements to be backed up.
//!
//! A backup is a set of named files. A [`BackupSource`] writes a consistent copy of what it holds into them; where the files go (a
//! folder, an object store), how they are hashed and when they are removed is decided elsewhere (`engines_storage::backup`).
//! A backend offers its source through [`Store::backup_source`](super::Store::backup_source).

use std::{fmt, path::PathBuf, pin::Pin};

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::Stream;
use serde::{Deserialize, Serialize};

use crate::{error::Result, scope::Scope, stream::LogId};

/// The content of a file, in chunks of any size. It ends after the first error.
pub type BackupContent = Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>;

/// How fast a source may copy, and what it may make its backend hold back meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CopyLimits {
    /// Bytes copied per second; 0 for as fast as possible.
    pub bytes_per_s: u64,
    /// Bytes of changes that the backend may hold back while the copy runs. From half of it on the copy runs as fast as
    /// possible, because a longer copy makes the log longer; past it the copy is given up. 0 for no limit.
    pub log_bytes: u64,
}

impl Default for CopyLimits {
    /// 64 MiB per second, 2 GiB of changes.
    fn default() -> Self {
        Self { bytes_per_s: 64 << 20, log_bytes: 2 << 30 }
    }
}

/// How far one scope's logs had got when the copy was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopePosition {
    /// The scope.
    #[serde(flatten)]
    pub scope: Scope,
    /// The `seq` of its last dataset event; 0 for none.
    pub events: u64,
    /// Audit records ever written.
    pub audit: u64,
    /// Streams.
    pub streams: u64,
    /// The sum of all its streams' heads: the number of events ever appended to them.
    pub appended: u64,
}

/// The one instant that all of a copy shows: what was acknowledged before it is in the copy, what was begun after it is not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupPosition {
    /// The log it was copied from.
    #[serde(with = "log_id")]
    pub log_id: LogId,
    /// The outbox position of the last dataset event of all scopes; 0 for none.
    pub feed: u64,
    /// Every scope, by tenant and environment.
    pub scopes: Vec<ScopePosition>,
}

/// Where a source writes the files of its copy. Names are relative: one or more segments of letters, digits, `.`, `_` and `-`,
/// separated by `/`, at most 256 bytes; no segment begins with a `.`.
#[async_trait]
pub trait BackupFiles: Send {
    /// A path on the local disk at which the source may write the file `name` itself. It becomes part of the backup with
    /// [`BackupFiles::add_local`], and is removed if that is never called.
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

/// Something that can be backed up: a store, or what lies beside it, such as the bytes of artifacts.
#[async_trait]
pub trait BackupSource: Send + Sync + fmt::Debug {
    /// Its name, which is the folder of its files in every backup and must never change: lower-case letters, digits, `_` and
    /// `-`, at most 32 bytes.
    fn name(&self) -> &str;

    /// Writes a consistent copy into `files`, while everything goes on.
    ///
    /// A store's source is called first and returns the position it copied. Every other source is called after it and must hold
    /// at least what the store referred to at that position; it returns none.
    ///
    /// Dropping the future ends the copy.
    ///
    /// # Errors
    /// `BACKEND_UNAVAILABLE` when it cannot be read or written, or a limit was passed.
    async fn back_up(&self, files: &mut dyn BackupFiles, limits: CopyLimits) -> Result<Option<BackupPosition>>;
}

/// Where the files of a [`BackupSource`] go when a backup is restored. Without a target for its name, a source's files are put
/// into a folder of that name in the restored data folder.
#[async_trait]
pub trait RestoreTarget: Send + Sync + fmt::Debug {
    /// The name of the source whose files it takes.
    fn name(&self) -> &str;

    /// Stores one file. Its size and hash are verified while it is read: an error at the end of `content` means that the file is
    /// damaged and must not be kept.
    ///
    /// # Errors
    /// The content's own error, or that of storing it.
    async fn restore(&self, name: &str, content: BackupContent) -> Result<()>;
}

/// A log's id as 16 hexadecimal digits.
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
