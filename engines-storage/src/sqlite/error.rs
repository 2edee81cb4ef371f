//! From SQLite's errors to ours. Only the code and its fixed text are kept: a full message could quote SQL or names.

use engines_core::{Code, Error};
use rusqlite::ErrorCode;

/// What SQLite said, without anything it could have quoted.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("SQLite: {text} (code {code})")]
pub(super) struct Failure {
    code: i32,
    text: &'static str,
    /// The whole backend is affected, not this statement alone.
    pub(super) everywhere: bool,
    /// The connection should be opened again.
    pub(super) reopen: bool,
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        use ErrorCode as E;
        let Some(failure) = error.sqlite_error() else {
            let text = match error {
                rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::InvalidColumnType(..) => "a stored value is not what it should be",
                rusqlite::Error::QueryReturnedNoRows => "a row is missing",
                _ => "a statement could not be run",
            };
            return Self { code: 0, text, everywhere: false, reopen: false };
        };
        let (text, everywhere, reopen) = match failure.code {
            E::DiskFull => ("the disk is full", true, false),
            E::SystemIoFailure => ("reading or writing the data file failed", true, true),
            E::DatabaseBusy | E::DatabaseLocked => ("the data file is locked by another program", true, false),
            E::ReadOnly | E::PermissionDenied => ("the data file cannot be written", true, true),
            E::CannotOpen => ("the data file cannot be opened", true, true),
            E::DatabaseCorrupt => ("the data file is damaged", true, true),
            E::NotADatabase => ("the data file is no database", true, true),
            E::OutOfMemory => ("out of memory", true, false),
            E::ConstraintViolation => ("a constraint of the data file was violated", false, false),
            E::TooBig => ("a value is too large", false, false),
            _ => ("an unexpected error", false, false),
        };
        Self { code: failure.extended_code, text, everywhere, reopen }
    }
}

/// `BACKEND_UNAVAILABLE` with what SQLite said.
pub(super) fn unavailable(operation: &'static str, error: impl Into<Failure>) -> Error {
    Error::unavailable(operation, error.into())
}

/// `BACKEND_UNAVAILABLE` because it is being closed, or a thread of it has ended.
pub(super) fn closed(operation: &'static str) -> Error {
    Error::new(Code::BackendUnavailable, operation, "the store is closed; nothing was stored")
}

/// For opening: says what is wrong with which file, and what to do.
pub(super) fn cannot_open(detail: String) -> Error {
    Error::new(Code::BackendUnavailable, "sqlite.open", detail)
}
