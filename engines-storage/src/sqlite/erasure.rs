//! Whether the files may hold content that was removed.
//!
//! `secure_delete` overwrites removed content in the data file's pages, but earlier images of these pages stay in the write-ahead log until it
//! is emptied. Emptying it stops the writer for a moment, so it is done on request ([`engines_core::Store::reclaim`]), and only after
//! something was removed.

use std::sync::atomic::{AtomicBool, Ordering};

/// What was removed and is perhaps still in the files. Written by the writer's thread alone, read by all.
#[derive(Debug)]
pub(super) struct Erasure {
    pending: AtomicBool,
    empty_log: AtomicBool,
}

impl Default for Erasure {
    /// As after an unclean end: nobody knows what the files hold.
    fn default() -> Self {
        Self { pending: AtomicBool::new(true), empty_log: AtomicBool::new(false) }
    }
}

impl Erasure {
    /// The files may hold removed content.
    pub(super) fn is_pending(&self) -> bool {
        self.pending.load(Ordering::Acquire)
    }

    /// A transaction was committed: it removed something, or found nothing more to give back.
    pub(super) fn committed(&self, erased: bool, reclaimed: bool) {
        if erased {
            self.pending.store(true, Ordering::Release);
        }
        if reclaimed {
            self.empty_log.store(true, Ordering::Release);
        }
    }

    /// Whether the log is to be emptied.
    pub(super) fn wants_empty_log(&self) -> bool {
        self.empty_log.load(Ordering::Acquire)
    }

    /// The log was emptied, or could not be because of a reader; the next request tries again.
    pub(super) fn log_emptied(&self, emptied: bool) {
        self.empty_log.store(false, Ordering::Release);
        if emptied {
            self.pending.store(false, Ordering::Release);
        }
    }
}
