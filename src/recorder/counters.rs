//! Counters of a recorder's events.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts the events of a [`super::Recorder`] since it was made. Accepted events that are neither recorded nor failed
/// still wait.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RecorderCounts {
    /// Events that were accepted into the queue.
    pub accepted: u64,
    /// Events that are durable.
    pub recorded: u64,
    /// Events that were not accepted, because the queue was full or the recorder closed.
    pub dropped: u64,
    /// Accepted events that the engine rejected, or that were not written because the store failed.
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
        // The finished events are read first, so that they never exceed the accepted ones.
        let (recorded, failed) = (self.recorded.load(Ordering::Acquire), self.failed.load(Ordering::Acquire));
        RecorderCounts {
            recorded,
            failed,
            dropped: self.dropped.load(Ordering::Acquire),
            accepted: self.accepted.load(Ordering::Acquire),
        }
    }
}
