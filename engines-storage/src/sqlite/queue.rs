//! The bounded queue before the writer, strictly first in, first out.
//!
//! A batch enters the queue when its future is first polled, so that commits keep their callers' order. Waiting for
//! room would break that order, so a batch that finds the queue full is rejected.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{error::SqliteFailure, job::BatchJob};

/// The waiting batches.
#[derive(Debug)]
pub(super) struct WriteQueue {
    state: Mutex<QueueState>,
    filled: Condvar,
    max_batches: usize,
    max_bytes: usize,
}

#[derive(Debug, Default)]
struct QueueState {
    jobs: VecDeque<BatchJob>,
    bytes: usize,
    /// The number of waiting batches at which the sleeping writer is woken; 0 when the writer does not sleep.
    wake_at: usize,
    nudged: bool,
    closed: bool,
    /// Why batches are rejected now.
    suspended: Option<SqliteFailure>,
}

/// Why a batch was rejected.
pub(super) enum PushError {
    /// The store is closed.
    Closed,
    /// The queue is full.
    Full,
    /// The writer cannot write now.
    Suspended(SqliteFailure),
}

/// How long to wait for more batches when few are waiting.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct GatherLimits {
    /// Number of batches at which the writer does not wait for more.
    pub(super) min_batches: usize,
    pub(super) patience: Duration,
}

/// What the writer is to do next.
pub(super) enum NextGroup {
    /// Run these batches.
    Run(Vec<BatchJob>),
    /// No batch is waiting; do maintenance work.
    Idle,
    /// No batch is waiting, and the queue is closed.
    Closed,
}

impl WriteQueue {
    pub(super) fn new(max_batches: usize, max_bytes: usize) -> Self {
        Self { state: Mutex::default(), filled: Condvar::new(), max_batches: max_batches.max(1), max_bytes }
    }

    /// Adds a batch at the end.
    pub(super) fn push(&self, job: BatchJob) -> Result<(), PushError> {
        let mut state = self.lock();
        if state.closed {
            return Err(PushError::Closed);
        }
        if let Some(why) = state.suspended {
            return Err(PushError::Suspended(why));
        }
        let full = state.jobs.len() >= self.max_batches || state.bytes.saturating_add(job.size_bytes) > self.max_bytes;
        if full && !state.jobs.is_empty() {
            return Err(PushError::Full);
        }
        state.bytes += job.size_bytes;
        state.jobs.push_back(job);
        if state.wake_at > 0 && state.jobs.len() >= state.wake_at {
            state.wake_at = 0;
            drop(state);
            self.filled.notify_one();
        }
        Ok(())
    }

    /// Takes the next group: all waiting batches up to the limits, at least one. Sleeps while there is none, unless
    /// the writer has maintenance work (`busy`).
    pub(super) fn next_group(&self, batches: usize, bytes: usize, gather: GatherLimits, busy: bool) -> NextGroup {
        let mut state = self.lock();
        while state.jobs.is_empty() {
            if state.closed {
                return NextGroup::Closed;
            }
            if std::mem::take(&mut state.nudged) || busy {
                return NextGroup::Idle;
            }
            state.wake_at = 1;
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.jobs.len() < gather.min_batches && !state.closed {
            state.wake_at = gather.min_batches;
            let few = |state: &mut QueueState| state.jobs.len() < gather.min_batches && !state.closed;
            let waited = self.filled.wait_timeout_while(state, gather.patience, few);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.wake_at = 0;
        let mut weight = 0_usize;
        let fits = |job: &&BatchJob| {
            weight = weight.saturating_add(job.size_bytes);
            weight <= bytes
        };
        let count = state.jobs.iter().take(batches).take_while(fits).count().max(1);
        let group: Vec<_> = state.jobs.drain(..count).collect();
        state.bytes -= group.iter().map(|job| job.size_bytes).sum::<usize>();
        NextGroup::Run(group)
    }

    /// Wakes a sleeping writer although no batch is waiting.
    pub(super) fn nudge(&self) {
        let mut state = self.lock();
        state.nudged = true;
        state.wake_at = 0;
        drop(state);
        self.filled.notify_one();
    }

    /// Closes the queue. Waiting batches are still run.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_one();
    }

    /// Rejects batches until [`WriteQueue::resume`]. Returns the waiting ones.
    pub(super) fn suspend(&self, why: SqliteFailure) -> Vec<BatchJob> {
        let mut state = self.lock();
        state.suspended = Some(why);
        state.bytes = 0;
        state.jobs.drain(..).collect()
    }

    /// Accepts batches again.
    pub(super) fn resume(&self) {
        self.lock().suspended = None;
    }

    /// Waits up to `patience` for the queue to be closed. Returns whether it is closed.
    pub(super) fn wait_closed(&self, patience: Duration) -> bool {
        let waited = self.filled.wait_timeout_while(self.lock(), patience, |state| !state.closed);
        waited.unwrap_or_else(PoisonError::into_inner).0.closed
    }

    /// Returns whether the queue is closed.
    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
