//! The counters.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use crate::Operation;

/// Upper bounds of the latency buckets, from a cached read to a slow remote store. One more bucket counts slower
/// calls.
pub const LATENCY_BOUNDS: [Duration; 12] = [
    Duration::from_micros(50),
    Duration::from_micros(100),
    Duration::from_micros(250),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_micros(2_500),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(50),
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(5),
];

const BUCKETS: usize = LATENCY_BOUNDS.len() + 1;

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CallOutcome {
    Succeeded,
    Refused,
    Failed,
}

/// Counters of every operation since the start. One reading is not a snapshot: its numbers may differ by a call.
#[derive(Debug, Default)]
pub struct StoreMetrics {
    operations: [OperationCounters; Operation::ALL.len()],
}

#[derive(Debug, Default)]
struct OperationCounters {
    calls: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
    nanos: AtomicU64,
    buckets: [AtomicU64; BUCKETS],
}

/// The counters of one operation at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OperationMetrics {
    /// Number of calls that started.
    pub calls: u64,
    /// Number of calls that the backend rejected: a failed precondition, an exceeded limit, a malformed cursor.
    pub refused: u64,
    /// Number of calls that failed because the backend did.
    pub failed: u64,
    /// Number of calls whose future was dropped before they returned.
    pub dropped: u64,
    /// Total duration of all calls that returned.
    pub total: Duration,
    /// Number of returned calls by latency, not cumulative: bucket `i` counts those above the bound before it and up
    /// to [`LATENCY_BOUNDS`]`[i]`; the last bucket counts all slower ones.
    pub buckets: [u64; BUCKETS],
}

impl StoreMetrics {
    /// Returns the counters of `operation`.
    #[must_use]
    pub fn read(&self, operation: Operation) -> OperationMetrics {
        let counters = &self.operations[operation.index()];
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        OperationMetrics {
            calls: load(&counters.calls),
            refused: load(&counters.refused),
            failed: load(&counters.failed),
            dropped: load(&counters.dropped),
            total: Duration::from_nanos(load(&counters.nanos)),
            buckets: std::array::from_fn(|bucket| load(&counters.buckets[bucket])),
        }
    }

    pub(super) fn begin(&self, operation: Operation) -> CallGuard<'_> {
        let counters = &self.operations[operation.index()];
        counters.calls.fetch_add(1, Ordering::Relaxed);
        CallGuard { counters, finished: false }
    }
}

/// A call in progress; it counts as dropped unless its end is recorded.
pub(super) struct CallGuard<'a> {
    counters: &'a OperationCounters,
    finished: bool,
}

impl CallGuard<'_> {
    pub(super) fn finish(mut self, took: Duration, ended: CallOutcome) {
        self.finished = true;
        match ended {
            CallOutcome::Succeeded => {}
            CallOutcome::Refused => drop(self.counters.refused.fetch_add(1, Ordering::Relaxed)),
            CallOutcome::Failed => drop(self.counters.failed.fetch_add(1, Ordering::Relaxed)),
        }
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.counters.nanos.fetch_add(nanos, Ordering::Relaxed);
        let bucket = LATENCY_BOUNDS.partition_point(|bound| *bound < took);
        self.counters.buckets[bucket].fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for CallGuard<'_> {
    fn drop(&mut self) {
        if !self.finished {
            self.counters.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}
