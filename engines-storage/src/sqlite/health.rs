//! What the store knows about its ability to write: the outcome of the last commit, and whether one hangs.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use rusqlite::Connection;

use super::error::Failure;

/// Changes a number that means nothing, so that the transaction has something to write.
pub(super) fn probe(connection: &Connection) -> Result<(), Failure> {
    const SQL: &str = "INSERT INTO meta (name, value) VALUES ('probe', '1') \
                       ON CONFLICT (name) DO UPDATE SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT)";
    connection.prepare_cached(SQL)?.execute([])?;
    Ok(())
}

/// A commit that takes longer than this hangs.
const STALLED: Failure = Failure::stalled("a commit has not returned from the disk for a long time");

/// The outcome of the last commit.
#[derive(Debug, Default)]
pub(super) struct Health(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Why the last commit failed; none when it succeeded, or when there was none.
    failure: Option<Failure>,
    /// When the commit that runs now began.
    committing: Option<Instant>,
    /// When a write was last tried only to find out.
    probed: Option<Instant>,
}

/// What is known.
pub(super) enum Verdict {
    Well,
    /// Writes fail.
    Failing(Failure),
    /// Writes failed, and one may be tried now.
    Probe,
}

impl Health {
    /// A commit begins.
    pub(super) fn begin(&self) {
        self.lock().committing = Some(Instant::now());
    }

    /// The commit has ended. What fails because of one batch alone says nothing about the disk.
    pub(super) fn end(&self, failure: Option<Failure>) {
        let mut state = self.lock();
        state.committing = None;
        if failure.is_none_or(|failure| failure.everywhere) {
            state.failure = failure;
        }
    }

    /// The verdict now. It says [`Verdict::Probe`] at most once in `every`.
    pub(super) fn verdict(&self, stalled: Duration, every: Duration) -> Verdict {
        let mut state = self.lock();
        if state.committing.is_some_and(|begun| begun.elapsed() >= stalled) {
            return Verdict::Failing(STALLED);
        }
        let Some(failure) = state.failure else { return Verdict::Well };
        if state.probed.is_some_and(|last| last.elapsed() < every) {
            return Verdict::Failing(failure);
        }
        state.probed = Some(Instant::now());
        Verdict::Probe
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
