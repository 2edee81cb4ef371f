//! Checking a large data file after an unclean end, beside the work.
//!
//! A file that was copied while it was written, or a disk that kept a part of it, is found by reading all of it. A small file is
//! checked before the store opens. For a large one that would take minutes, so that it is checked by a thread, and the store says
//! meanwhile that it is not ready. The check is one long read: until it ends, the log does not begin anew.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::{
    error::Failure,
    open,
    options::SqliteOptions,
    store::{Shared, Worker},
};

/// Time from the first check that could not be made to the next; it doubles with each try.
const WAIT: Duration = Duration::from_millis(100);
/// The longest time between two tries.
const WAIT_MAX: Duration = Duration::from_secs(10);

const CHECKING: Failure = Failure::checking(
    "the data file was not closed cleanly and is being checked; the store is ready when that has ended",
);
const DAMAGED: Failure = Failure::damaged(
    "the data file is damaged (quick_check), and nothing is written any more; stop the server and restore a backup",
);

/// What is known about the data file as a whole.
#[derive(Debug, Default)]
pub(super) struct Integrity(Mutex<State>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Whole,
    Checking,
    Damaged,
}

impl Integrity {
    /// Why the store is not ready.
    pub(super) fn unready(&self) -> Option<Failure> {
        match self.state() {
            State::Whole => None,
            State::Checking => Some(CHECKING),
            State::Damaged => Some(DAMAGED),
        }
    }

    /// Why nothing may be written.
    pub(super) fn damage(&self) -> Option<Failure> {
        (self.state() == State::Damaged).then_some(DAMAGED)
    }

    fn state(&self) -> State {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, state: State) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }
}

/// Starts the thread that checks the data file.
pub(super) fn start(options: &SqliteOptions, shared: &Arc<Shared>) -> std::io::Result<Worker> {
    shared.integrity.set(State::Checking);
    let (shared, options) = (Arc::clone(shared), options.clone());
    Worker::spawn("sqlite-check", move |ended| {
        run(&shared, &options);
        let _ = ended.send(());
    })
}

fn run(shared: &Arc<Shared>, options: &SqliteOptions) {
    let path = shared.files.path().display();
    let (begun, mut wait) = (Instant::now(), WAIT);
    tracing::info!(%path, "the data file is being checked, because it was not closed cleanly");
    loop {
        match check(shared, options) {
            Ok(true) => {
                shared.integrity.set(State::Whole);
                tracing::info!(%path, took = ?begun.elapsed(), "the data file is whole");
                return;
            }
            Ok(false) => {
                shared.integrity.set(State::Damaged);
                tracing::error!(%path, "the data file is damaged (quick_check); nothing is written any more. Restore a backup");
                return;
            }
            // The store recovers from a fault of the disk, and closes every connection for it; or it is being closed.
            Err(failure) => tracing::debug!(%path, error = %failure, ?wait, "the check was broken off; it begins anew"),
        }
        if shared.queue.wait_closed(wait) {
            return;
        }
        wait = (wait * 2).min(WAIT_MAX);
    }
}

/// Whether the data file is whole.
fn check(shared: &Arc<Shared>, options: &SqliteOptions) -> Result<bool, Failure> {
    let connection = open::reader(shared, options)?;
    let verdict = connection.get()?.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    match verdict.map_err(Failure::from) {
        Ok(verdict) => Ok(verdict == "ok"),
        Err(failure) if failure.is_corruption() => Ok(false),
        Err(failure) => Err(failure),
    }
}
