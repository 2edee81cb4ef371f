//! Whether the data file is known to be whole; [`super::integrity_check`] finds out.

use std::sync::{Mutex, PoisonError};

use super::error::SqliteFailure;

const CHECKING: SqliteFailure = SqliteFailure::checking(
    "the data file was not closed cleanly and is being checked; the store is ready when the check has ended",
);
const DAMAGED: SqliteFailure = SqliteFailure::damaged(
    "the data file is damaged (quick_check), and no more data is written; stop the server and restore a backup",
);

/// The state of the check.
#[derive(Debug, Default)]
pub(super) struct IntegrityState(Mutex<IntegrityStatus>);

/// The result of the check so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum IntegrityStatus {
    #[default]
    Whole,
    Checking,
    Damaged,
}

impl IntegrityState {
    /// Returns why the store is not ready.
    pub(super) fn not_ready_reason(&self) -> Option<SqliteFailure> {
        match self.state() {
            IntegrityStatus::Whole => None,
            IntegrityStatus::Checking => Some(CHECKING),
            IntegrityStatus::Damaged => Some(DAMAGED),
        }
    }

    /// Returns why nothing may be written.
    pub(super) fn damage(&self) -> Option<SqliteFailure> {
        (self.state() == IntegrityStatus::Damaged).then_some(DAMAGED)
    }

    fn state(&self) -> IntegrityStatus {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set(&self, state: IntegrityStatus) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }
}
