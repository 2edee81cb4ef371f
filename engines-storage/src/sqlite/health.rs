//! The store's ability to write: the outcome of the last commit, and whether a commit hangs.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use rusqlite::Connection;

use super::error::SqliteFailure;

/// Increments a counter that has no other use, so that the transaction writes something.
pub(super) fn write_probe(connection: &Connection) -> Result<(), SqliteFailure> {
    const SQL: &str = "INSERT INTO meta (name, value) VALUES ('probe', '1') \
                       ON CONFLICT (name) DO UPDATE SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT)";
    connection.prepare_cached(SQL)?.execute([])?;
    Ok(())
}

/// A commit has taken longer than the limit.
const STALLED: SqliteFailure = SqliteFailure::stalled("a commit has not returned from the disk for a long time");

/// The outcome of the last commit.
#[derive(Debug, Default)]
pub(super) struct WriteHealth(Mutex<HealthState>);

#[derive(Debug, Default)]
struct HealthState {
    /// Why the last commit failed; `None` when it succeeded or there was none.
    failure: Option<SqliteFailure>,
    /// The start of the commit in progress.
    committing: Option<Instant>,
    /// The time of the last write that was made only as a test.
    last_probe: Option<Instant>,
}

/// The result of a health check.
pub(super) enum HealthVerdict {
    Healthy,
    /// Writes fail.
    Failing(SqliteFailure),
    /// Writes failed before; the caller is to test with a write now.
    Probe,
}

impl WriteHealth {
    /// Records the start of a commit.
    pub(super) fn commit_started(&self) {
        self.lock().committing = Some(Instant::now());
    }

    /// Records the end of a commit. A failure that concerns one batch says nothing about the disk and is ignored.
    pub(super) fn commit_ended(&self, failure: Option<SqliteFailure>) {
        let mut state = self.lock();
        state.committing = None;
        if failure.is_none_or(|failure| failure.is_backend_wide) {
            state.failure = failure;
        }
    }

    /// Returns the verdict. It is [`HealthVerdict::Probe`] at most once in `every`.
    pub(super) fn verdict(&self, stalled: Duration, every: Duration) -> HealthVerdict {
        let mut state = self.lock();
        if state.committing.is_some_and(|begun| begun.elapsed() >= stalled) {
            return HealthVerdict::Failing(STALLED);
        }
        let Some(failure) = state.failure else { return HealthVerdict::Healthy };
        if state.last_probe.is_some_and(|last| last.elapsed() < every) {
            return HealthVerdict::Failing(failure);
        }
        state.last_probe = Some(Instant::now());
        HealthVerdict::Probe
    }

    fn lock(&self) -> MutexGuard<'_, HealthState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
