//! Moving the log's pages to the data file, without making commits wait for it.
//!
//! Pages can be moved while the writer goes on, but the log begins anew only when all of it was moved at a moment when nothing
//! is being written. So a thread of its own moves the bulk, and the writer the rest, between two groups of batches.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};

use rusqlite::Connection;

use super::{
    error::Failure,
    open,
    options::SqliteOptions,
    store::{Shared, Worker},
};

/// Rounds the thread makes at the most before the writer does the rest, each for what was written during the one before.
const ROUNDS: usize = 4;
/// The rest is small when it is this part of [`SqliteOptions::checkpoint_pages`].
const REST: usize = 8;

/// What the writer and the thread tell each other.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// Pages in the log, as of the last commit.
    pub(super) pages: AtomicUsize,
    /// The bulk was moved.
    moved: AtomicBool,
}

/// The writer's end.
pub(super) struct Checkpoints {
    log: Arc<Log>,
    shared: Arc<Shared>,
    requests: mpsc::SyncSender<()>,
    requested: bool,
    threshold: usize,
    due: usize,
    last: usize,
}

impl Checkpoints {
    /// Starts the thread.
    pub(super) fn start(
        path: PathBuf,
        options: &SqliteOptions,
        shared: &Arc<Shared>,
    ) -> std::io::Result<(Self, Worker)> {
        let (requests, requested) = mpsc::sync_channel(1);
        let log = Arc::new(Log::default());
        let threshold = options.checkpoint_pages.max(1);
        let (writers, shared) = (Arc::clone(shared), shared);
        let worker = {
            let (log, shared, options) = (Arc::clone(&log), Arc::clone(shared), options.clone());
            Worker::spawn("sqlite-log", move |ended| {
                while requested.recv().is_ok() {
                    move_bulk(&path, &options, &log);
                    log.moved.store(true, Ordering::Release);
                    shared.queue.nudge();
                }
                let _ = ended.send(());
            })?
        };
        Ok((Self { log, shared: writers, requests, requested: false, threshold, due: threshold, last: 0 }, worker))
    }

    /// Where the writer's connection tells how long the log is.
    pub(super) fn log(&self) -> Arc<Log> {
        Arc::clone(&self.log)
    }

    /// Between two groups of batches: asks for what is due, and does the rest of what was done.
    pub(super) fn between_groups(&mut self, connection: &Connection) {
        let pages = self.log.pages.load(Ordering::Relaxed);
        if pages < self.last {
            self.due = self.threshold;
        }
        self.last = pages;
        if self.log.moved.swap(false, Ordering::Acquire) {
            if self.shared.erasure.wants_empty_log() {
                let emptied = empty(connection).unwrap_or_else(|failure| {
                    tracing::warn!(error = %failure, "the log could not be emptied after a removal; it is tried again");
                    false
                });
                self.shared.erasure.log_emptied(emptied);
            } else if let Err(failure) = run(connection, "PASSIVE") {
                tracing::warn!(error = %failure, "the log could not be moved to the data file");
            }
            // If a reader still needs the old log, it goes on for a while before the next attempt.
            self.due = pages + self.threshold.div_ceil(4);
            self.requested = false;
        } else if (pages >= self.due || self.shared.erasure.wants_empty_log()) && !self.requested {
            self.requested = self.requests.try_send(()).is_ok();
        }
    }
}

fn move_bulk(path: &std::path::Path, options: &SqliteOptions, log: &Log) {
    let moved = open::checkpointer(path, options).and_then(|connection| {
        for _ in 0..ROUNDS {
            let moved = run(&connection, "PASSIVE")?;
            let left = log.pages.load(Ordering::Relaxed).saturating_sub(moved);
            if left <= options.checkpoint_pages / REST {
                break;
            }
        }
        Ok(())
    });
    if let Err(failure) = moved {
        tracing::warn!(error = %failure, "the log could not be moved to the data file; it is tried again");
    }
}

/// Moves all of the log to the data file and cuts the log to nothing, so that it holds no removed content. Waits for no reader: returns
/// false when one still needs the log.
fn empty(connection: &Connection) -> Result<bool, Failure> {
    let waiting = connection.query_row("PRAGMA busy_timeout", [], |row| row.get::<_, u32>(0))?;
    connection.busy_timeout(Duration::ZERO)?;
    let blocked = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0));
    connection.busy_timeout(Duration::from_millis(waiting.into()))?;
    Ok(!blocked?)
}

/// Moves what can be moved; returns how many pages of the log have been.
pub(super) fn run(connection: &Connection, mode: &str) -> Result<usize, Failure> {
    let moved: i64 = connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| row.get(2))?;
    Ok(usize::try_from(moved).unwrap_or(0))
}
