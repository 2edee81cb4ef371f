//! Checks a large data file in the background after an unclean end.
//!
//! Only reading the whole file detects that it was copied while it was written, or that a disk has lost part of it. A
//! small file is checked before the store opens. For a large one that would take minutes, so a thread checks it, and
//! the store reports meanwhile that it is not ready. The check is one long read: until it ends, the write-ahead log
//! cannot restart.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    error::SqliteFailure, integrity::IntegrityStatus, opening, options::SqliteOptions, state::StoreState,
    worker_thread::WorkerThread,
};

/// Delay after the first attempt that could not be completed; it doubles with each attempt.
const FIRST_RETRY_WAIT: Duration = Duration::from_millis(100);
/// Maximum delay between two attempts.
const MAX_RETRY_WAIT: Duration = Duration::from_secs(10);

/// Starts the thread that checks the data file.
pub(super) fn start_check(options: &SqliteOptions, shared: &Arc<StoreState>) -> std::io::Result<WorkerThread> {
    shared.integrity.set(IntegrityStatus::Checking);
    let (shared, options) = (Arc::clone(shared), options.clone());
    WorkerThread::spawn("sqlite-check", move |ended| {
        run_check(&shared, &options);
        let _ = ended.send(());
    })
}

fn run_check(shared: &Arc<StoreState>, options: &SqliteOptions) {
    let path = shared.files.path().display();
    let (begun, mut wait) = (Instant::now(), FIRST_RETRY_WAIT);
    tracing::info!(%path, "the data file is being checked, because it was not closed cleanly");
    loop {
        match check_file(shared, options) {
            Ok(true) => {
                shared.integrity.set(IntegrityStatus::Whole);
                tracing::info!(%path, took = ?begun.elapsed(), "the data file is not damaged");
                return;
            }
            Ok(false) => {
                shared.integrity.set(IntegrityStatus::Damaged);
                tracing::error!(%path, "the data file is damaged (quick_check); no more data is written. Restore a backup");
                return;
            }
            // Every connection was closed: the store is recovering from a disk fault, or is being closed.
            Err(failure) => {
                tracing::debug!(%path, error = %failure, ?wait, "the check was interrupted; it starts again")
            }
        }
        if shared.queue.wait_closed(wait) {
            return;
        }
        wait = (wait * 2).min(MAX_RETRY_WAIT);
    }
}

/// Returns whether the data file passes the check.
fn check_file(shared: &Arc<StoreState>, options: &SqliteOptions) -> Result<bool, SqliteFailure> {
    let connection = opening::open_reader(shared, options)?;
    let verdict = connection.get()?.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    match verdict.map_err(SqliteFailure::from) {
        Ok(verdict) => Ok(verdict == "ok"),
        Err(failure) if failure.is_corruption() => Ok(false),
        Err(failure) => Err(failure),
    }
}
