//! Whether the files may hold content that was removed.
//!
//! `secure_delete` overwrites removed content in the data file's pages, but earlier images of these pages stay in the write-ahead log until it
//! is emptied, and copies stay in unallocated parts of pages (see [`super::gaps`]). Both stop the writer for a moment, so they are done on
//! request ([`engines_core::Store::reclaim`]), and only after something was removed.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rusqlite::Connection;

use super::error::SqliteFailure;

/// What was removed and is perhaps still in the files. Written by the writer's thread alone, read by all.
#[derive(Debug, Default)]
pub(super) struct ErasureState {
    pending: AtomicBool,
    empty_log: AtomicBool,
    removals: AtomicU64,
    walking: AtomicBool,
}

impl ErasureState {
    /// As the file says: what a process before has left undone is still to be done.
    pub(super) fn load(&self, connection: &Connection) -> Result<(), SqliteFailure> {
        const SQL: &str = "SELECT EXISTS (SELECT 1 FROM meta WHERE name = 'erasure')";
        self.pending.store(connection.query_row(SQL, [], |row| row.get(0))?, Ordering::Release);
        Ok(())
    }

    /// In a transaction that removes something: notes it in the file, if that is not there yet.
    pub(super) fn mark_pending(&self, connection: &Connection) -> Result<(), SqliteFailure> {
        if !self.is_pending() {
            const SQL: &str = "INSERT OR IGNORE INTO meta (name, value) VALUES ('erasure', 'pending')";
            connection.prepare_cached(SQL)?.execute([])?;
        }
        Ok(())
    }

    /// Everything was done: takes the note back.
    pub(super) fn clear_mark(connection: &Connection) -> Result<(), SqliteFailure> {
        connection.prepare_cached("DELETE FROM meta WHERE name = 'erasure'")?.execute([])?;
        Ok(())
    }

    /// The files may hold removed content.
    pub(super) fn is_pending(&self) -> bool {
        self.pending.load(Ordering::Acquire)
    }

    /// A transaction was committed: it removed something, or found nothing more to give back.
    pub(super) fn note_commit(&self, erased: bool, reclaimed: bool) {
        if erased {
            self.removals.fetch_add(1, Ordering::AcqRel);
            self.pending.store(true, Ordering::Release);
        }
        if reclaimed {
            self.empty_log.store(true, Ordering::Release);
        }
    }

    /// Counts transactions that removed something.
    pub(super) fn removal_count(&self) -> u64 {
        self.removals.load(Ordering::Acquire)
    }

    /// A walk over the pages has begun or ended. Meanwhile no page may be moved to where the walk has been.
    pub(super) fn set_walking(&self, walking: bool) {
        self.walking.store(walking, Ordering::Release);
    }

    pub(super) fn is_walking(&self) -> bool {
        self.walking.load(Ordering::Acquire)
    }

    /// Whether the log is to be emptied.
    pub(super) fn wants_empty_log(&self) -> bool {
        self.empty_log.load(Ordering::Acquire)
    }

    /// What was asked for was tried; `done` if the files hold no removed content any more. The next request tries again otherwise.
    pub(super) fn note_attempt(&self, done: bool) {
        self.empty_log.store(false, Ordering::Release);
        if done {
            self.pending.store(false, Ordering::Release);
        }
    }
}
