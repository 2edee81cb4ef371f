//! Conversion of SQLite's errors. Only the error code and a fixed text are kept, because SQLite's messages can quote
//! SQL or names.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use engines_core::{Code, Error, nexus::CommitError};
use rusqlite::ErrorCode;

/// The delay after which a caller may retry.
const RETRY: Duration = Duration::from_secs(1);

/// A failure of SQLite or of a file, without text that could quote content.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("SQLite: {text} (code {code})")]
pub(super) struct SqliteFailure {
    code: i32,
    text: &'static str,
    kind: FailureKind,
    /// Whether the failure affects the whole backend rather than one statement.
    pub(super) is_backend_wide: bool,
    /// Whether the connection is to be opened again. In the writer, such a failure is a disk fault that the store
    /// recovers from; see [`super::recovery`].
    pub(super) needs_reopen: bool,
}

/// The kind of a failure, which decides the error that a caller gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FailureKind {
    /// SQLite failed.
    Database,
    /// The device has no free space.
    Full,
    /// A file of the store was removed or replaced.
    Moved,
    /// The store is recovering from a disk fault.
    Recovering,
    /// Damage was found, and the store accepts no writes.
    Damaged,
    /// The disk does not answer.
    Stalled,
    /// The data file is being checked.
    Checking,
}

impl From<rusqlite::Error> for SqliteFailure {
    fn from(error: rusqlite::Error) -> Self {
        use ErrorCode as E;
        let kind = FailureKind::Database;
        let Some(failure) = error.sqlite_error() else {
            let text = match error {
                rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::InvalidColumnType(..) => "a stored value has an unexpected type or format",
                rusqlite::Error::QueryReturnedNoRows => "a row is missing",
                _ => "a statement could not be run",
            };
            return Self { code: 0, text, kind, is_backend_wide: false, needs_reopen: false };
        };
        let (text, everywhere, reopen) = match failure.code {
            E::DiskFull => ("the disk is full", true, false),
            E::SystemIoFailure => ("reading or writing the data file or its log failed", true, true),
            E::DatabaseBusy | E::DatabaseLocked => ("the data file is locked by another program", true, false),
            E::ReadOnly | E::PermissionDenied => ("the data file cannot be written", true, true),
            E::CannotOpen => ("the data file cannot be opened", true, true),
            E::DatabaseCorrupt => ("the data file is damaged", true, true),
            E::NotADatabase => ("the data file is not a database", true, true),
            E::OutOfMemory => ("out of memory", true, false),
            E::OperationInterrupted => ("interrupted, because the store closes its connections", false, false),
            E::ConstraintViolation => ("a constraint of the data file was violated", false, false),
            E::TooBig => ("a value is too large", false, false),
            _ => ("an unexpected error", false, false),
        };
        let kind = if failure.code == E::DiskFull { FailureKind::Full } else { kind };
        Self { code: failure.extended_code, text, kind, is_backend_wide: everywhere, needs_reopen: reopen }
    }
}

impl SqliteFailure {
    /// A file of the store was removed or replaced; `text` states which one, and what to do.
    pub(super) const fn moved(text: &'static str) -> Self {
        Self::with_kind(text, FailureKind::Moved)
    }

    /// The store is recovering from a disk fault.
    pub(super) const fn recovering() -> Self {
        Self::with_kind("the store is recovering from a disk fault", FailureKind::Recovering)
    }

    /// The store is recovering, and waits for a read to end.
    pub(super) const fn still_open() -> Self {
        Self::with_kind("a read has not ended, so some connections are still open", FailureKind::Recovering)
    }

    /// Recovery found damage; `text` states which, and what to do.
    pub(super) const fn damaged(text: &'static str) -> Self {
        Self::with_kind(text, FailureKind::Damaged)
    }

    /// The data file is being checked.
    pub(super) const fn checking(text: &'static str) -> Self {
        Self::with_kind(text, FailureKind::Checking)
    }

    /// The disk does not answer.
    pub(super) const fn stalled(text: &'static str) -> Self {
        Self::with_kind(text, FailureKind::Stalled)
    }

    /// An operation on a file failed outside of SQLite. The text of `error` is not kept.
    pub(super) fn io(error: &std::io::Error) -> Self {
        let full = error.kind() == std::io::ErrorKind::StorageFull;
        let kind = if full { FailureKind::Full } else { FailureKind::Database };
        Self {
            code: error.raw_os_error().unwrap_or(0),
            needs_reopen: true,
            ..Self::with_kind("an input/output error", kind)
        }
    }

    const fn with_kind(text: &'static str, kind: FailureKind) -> Self {
        Self { code: 0, text, kind, is_backend_wide: true, needs_reopen: false }
    }

    /// Returns whether another connection holds a lock.
    pub(super) fn is_busy(&self) -> bool {
        self.code & 0xff == rusqlite::ffi::SQLITE_BUSY && self.kind == FailureKind::Database
    }

    /// Returns whether SQLite found malformed content.
    pub(super) fn is_corruption(&self) -> bool {
        matches!(self.code & 0xff, rusqlite::ffi::SQLITE_CORRUPT | rusqlite::ffi::SQLITE_NOTADB)
            && self.kind == FailureKind::Database
    }

    pub(super) fn kind(&self) -> FailureKind {
        self.kind
    }

    /// Returns whether a `COMMIT` with this failure has certainly stored nothing. SQLite reports a full disk before
    /// the last frame of a transaction is written, and a lock before the first. After every other failure the frames
    /// may be in the log.
    pub(super) fn stores_nothing(&self) -> bool {
        self.kind == FailureKind::Full || self.is_busy()
    }

    /// Converts the failure to the error of a read or a check.
    pub(super) fn into_error(self, operation: &'static str, path: &Path) -> Error {
        let (code, detail) = match self.kind {
            FailureKind::Database => {
                (Code::BackendUnavailable, "the data file cannot be used at the moment; retry later")
            }
            FailureKind::Full => (Code::StorageFull, "the disk is full; free space and retry"),
            FailureKind::Recovering => {
                (Code::BackendUnavailable, "the store is recovering from a disk fault; retry later")
            }
            FailureKind::Moved | FailureKind::Damaged | FailureKind::Stalled | FailureKind::Checking => {
                (Code::BackendUnavailable, self.text)
            }
        };
        Error::new(code, operation, detail)
            .with_source(FailureAtPath { path: path.to_owned(), failure: self })
            .with_retry_after(RETRY)
    }

    /// Converts the failure to the error of a commit whose batch was certainly not stored.
    pub(super) fn into_not_stored(self, operation: &'static str, path: &Path) -> CommitError {
        let (code, detail) = match self.kind {
            FailureKind::Database => {
                (Code::BackendUnavailable, "the data file cannot be written; nothing was stored, retry later")
            }
            FailureKind::Full => (Code::StorageFull, "the disk is full; nothing was stored, free space and retry"),
            FailureKind::Recovering => {
                (Code::BackendUnavailable, "the store is recovering from a disk fault; nothing was stored, retry later")
            }
            FailureKind::Moved | FailureKind::Damaged | FailureKind::Stalled | FailureKind::Checking => {
                (Code::BackendUnavailable, self.text)
            }
        };
        let source = FailureAtPath { path: path.to_owned(), failure: self };
        CommitError::Backend(Error::new(code, operation, detail).with_source(source).with_retry_after(RETRY))
    }

    /// Converts the failure to the error of a commit whose batch may have been stored.
    pub(super) fn into_outcome_unknown(self, operation: &'static str, path: &Path) -> CommitError {
        CommitError::Unknown(Error::outcome_unknown(operation, FailureAtPath { path: path.to_owned(), failure: self }))
    }
}

/// A failure and the path of its data file, for logs.
#[derive(Debug)]
struct FailureAtPath {
    path: PathBuf,
    failure: SqliteFailure,
}

impl fmt::Display for FailureAtPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.failure)
    }
}

impl std::error::Error for FailureAtPath {}

/// The store is being closed, or one of its threads has ended: `BACKEND_UNAVAILABLE`.
pub(super) fn closed_error(operation: &'static str) -> Error {
    Error::new(Code::BackendUnavailable, operation, "the store is closed")
}

/// An error while the store is opened. `detail` states the file, what is wrong with it, and what to do.
pub(super) fn open_error(detail: String) -> Error {
    Error::new(Code::BackendUnavailable, "sqlite.open", detail)
}

/// Why a batch was not applied.
pub(super) enum Refusal {
    /// The batch was rejected with this answer; nothing of it was written.
    Rejected(CommitError),
    /// Part of the batch may have been written: the transaction must be rolled back.
    MustRollBack(SqliteFailure),
}

impl<E: Into<SqliteFailure>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::MustRollBack(error.into())
    }
}
