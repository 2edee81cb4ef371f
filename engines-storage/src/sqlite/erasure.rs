//! Tracks whether the files may still contain removed content.
//!
//! `secure_delete` overwrites removed content in the data file's pages. Earlier images of these pages stay in the
//! write-ahead log until it is emptied, and copies stay in unallocated parts of pages (see [`super::page_gaps`]).
//! Erasing either stops the writer for a moment, so it is done on request ([`engines_core::Store::reclaim`]), and
//! only after something was removed.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rusqlite::Connection;

use super::error::SqliteFailure;

/// The state of erasure. Only the writer's thread changes it; any thread reads it.
#[derive(Debug, Default)]
pub(super) struct ErasureState {
    pending: AtomicBool,
    empty_log: AtomicBool,
    removals: AtomicU64,
    walking: AtomicBool,
}

impl ErasureState {
    /// Loads the mark from the file: what a previous process has not erased is still to be erased.
    pub(super) fn load(&self, connection: &Connection) -> Result<(), SqliteFailure> {
        const SQL: &str = "SELECT EXISTS (SELECT 1 FROM meta WHERE name = 'erasure')";
        self.pending.store(connection.query_row(SQL, [], |row| row.get(0))?, Ordering::Release);
        Ok(())
    }

    /// Stores the mark in the file, if it is not there, within a transaction that removes content.
    pub(super) fn mark_pending(&self, connection: &Connection) -> Result<(), SqliteFailure> {
        if !self.is_pending() {
            const SQL: &str = "INSERT OR IGNORE INTO meta (name, value) VALUES ('erasure', 'pending')";
            connection.prepare_cached(SQL)?.execute([])?;
        }
        Ok(())
    }

    /// Writes the mark again with another value, so that a commit follows and restarts the log.
    pub(super) fn rewrite_mark(connection: &Connection) -> Result<(), SqliteFailure> {
        const SQL: &str = "INSERT INTO meta (name, value) VALUES ('erasure', 'pending') ON CONFLICT (name) \
                           DO UPDATE SET value = CASE value WHEN 'pending' THEN 'truncating' ELSE 'pending' END";
        connection.prepare_cached(SQL)?.execute([])?;
        Ok(())
    }

    /// Removes the mark from the file, after everything was erased.
    pub(super) fn clear_mark(connection: &Connection) -> Result<(), SqliteFailure> {
        connection.prepare_cached("DELETE FROM meta WHERE name = 'erasure'")?.execute([])?;
        Ok(())
    }

    /// Returns whether the files may contain removed content.
    pub(super) fn is_pending(&self) -> bool {
        self.pending.load(Ordering::Acquire)
    }

    /// Records a committed transaction that removed content (`erased`) or found no more free pages to release
    /// (`reclaimed`).
    pub(super) fn note_commit(&self, erased: bool, reclaimed: bool) {
        if erased {
            self.removals.fetch_add(1, Ordering::AcqRel);
            self.pending.store(true, Ordering::Release);
        }
        if reclaimed {
            self.empty_log.store(true, Ordering::Release);
        }
    }

    /// Returns the number of transactions that removed content.
    pub(super) fn removal_count(&self) -> u64 {
        self.removals.load(Ordering::Acquire)
    }

    /// Records that a pass over the pages starts or ends. During a pass no page may move to a part of the file that
    /// the pass has finished.
    pub(super) fn set_walking(&self, walking: bool) {
        self.walking.store(walking, Ordering::Release);
    }

    pub(super) fn is_walking(&self) -> bool {
        self.walking.load(Ordering::Acquire)
    }

    /// Returns whether the log is to be emptied.
    pub(super) fn wants_empty_log(&self) -> bool {
        self.empty_log.load(Ordering::Acquire)
    }

    /// Records an attempt to erase. `done` means that the files contain no removed content any more; otherwise the
    /// next request tries again.
    pub(super) fn note_attempt(&self, done: bool) {
        self.empty_log.store(false, Ordering::Release);
        if done {
            self.pending.store(false, Ordering::Release);
        }
    }
}
