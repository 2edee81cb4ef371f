//! What the store knows about its ability to write: the outcome of the last commit, and whether one hangs.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use rusqlite::Connection;

use super::error::SqliteFailure;

/// Changes a number that means nothing, so that the transaction has something to write.
pub(super) fn write_probe(connection: &Connection) -> Result<(), SqliteFailure> {
    const SQL: &str = "INSERT INTO meta (name, value) VALUES ('probe', '1') \
                       ON CONFLICT (name) DO UPDATE SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT)";
    connection.prepare_cached(SQL)?.execute([])?;
    Ok(())
}

/// A commit that takes longer than this hangs.
const STALLED: SqliteFailure = SqliteFailure::stalled("a commit has not returned from the disk for a long time");

/// The outcome of the last commit.
#[derive(Debug, Default)]
pub(super) struct WriteHealth(Mutex<HealthState>);

#[derive(Debug, Default)]
struct HealthState {
    /// Why the last commit failed; none when it succeeded, or when there was none.
    failure: Option<SqliteFailure>,
    /// When the commit that runs now began.
    committing: Option<Instant>,
    /// When a write was last tried only to find out.
    last_probe: Option<Instant>,
}

/// What is known.
pub(super) enum HealthVerdict {
    Healthy,
    /// Writes fail.
    Failing(SqliteFailure),
    /// Writes failed, and one may be tried now.
    Probe,
}

impl WriteHealth {
    /// A commit begins.
    pub(super) fn commit_started(&self) {
        self.lock().committing = Some(Instant::now());
    }

    /// The commit has ended. What fails because of one batch alone says nothing about the disk.
    pub(super) fn commit_ended(&self, failure: Option<SqliteFailure>) {
        let mut state = self.lock();
        state.committing = None;
        if failure.is_none_or(|failure| failure.is_backend_wide) {
            state.failure = failure;
        }
    }

    /// The verdict now. It says [`Verdict::Probe`] at most once in `every`.
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
