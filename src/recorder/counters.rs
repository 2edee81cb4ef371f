//! What became of the events of a recorder.

use std::sync::atomic::{AtomicU64, Ordering};

/// What became of the events of a [`super::Recorder`] since it was made. An event that was accepted and is none of the others still waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RecorderCounts {
    /// Taken into the queue.
    pub accepted: u64,
    /// Durable.
    pub recorded: u64,
    /// Not taken, because the queue was full or the recorder closed.
    pub dropped: u64,
    /// Taken, and then refused by the engine, or not written because its store failed.
    pub failed: u64,
}

#[derive(Debug, Default)]
pub(super) struct RecorderCounters {
    accepted: AtomicU64,
    recorded: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
}

impl RecorderCounters {
    pub(super) fn count_accepted(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_dropped(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_settled(&self, recorded: bool) {
        let counter = if recorded { &self.recorded } else { &self.failed };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn snapshot(&self) -> RecorderCounts {
        // What is settled is read first, so that it never is more than what was accepted.
        let (recorded, failed) = (self.recorded.load(Ordering::Acquire), self.failed.load(Ordering::Acquire));
        RecorderCounts {
            recorded,
            failed,
            dropped: self.dropped.load(Ordering::Acquire),
            accepted: self.accepted.load(Ordering::Acquire),
        }
    }
}
