//! The line before the writer: strictly first come, first served, and bounded.
//!
//! A batch is in its place from the first time its future is polled, so commits keep their callers' order. Waiting for room
//! would break that, so what finds none is refused.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{error::SqliteFailure, job::BatchJob};

/// Batches that wait.
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
    /// The writer sleeps until this many wait; 0 when it does not sleep.
    wake_at: usize,
    nudged: bool,
    closed: bool,
    /// Why nothing is taken at the moment.
    suspended: Option<SqliteFailure>,
}

/// Why a batch was not taken.
pub(super) enum PushError {
    /// The store is closed.
    Closed,
    /// Too many wait.
    Full,
    /// The writer cannot write now.
    Suspended(SqliteFailure),
}

/// How long to wait for more when few wait.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct GatherLimits {
    /// Enough not to wait for more.
    pub(super) min_batches: usize,
    pub(super) patience: Duration,
}

/// What the writer is to do next.
pub(super) enum NextGroup {
    /// Run these.
    Run(Vec<BatchJob>),
    /// Nothing waits; see to the log and to what is to be cleared.
    Idle,
    /// Nothing waits and nothing will.
    Closed,
}

impl WriteQueue {
    pub(super) fn new(max_batches: usize, max_bytes: usize) -> Self {
        Self { state: Mutex::default(), filled: Condvar::new(), max_batches: max_batches.max(1), max_bytes }
    }

    /// Puts a batch at the end.
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

    /// Takes the next group: as many as wait, up to the limits, at least one. Sleeps while there is none,
    /// unless the writer has something else to do.
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

    /// Wakes the writer if it sleeps, with nothing to run.
    pub(super) fn nudge(&self) {
        let mut state = self.lock();
        state.nudged = true;
        state.wake_at = 0;
        drop(state);
        self.filled.notify_one();
    }

    /// Lets nothing more in; what waits is still run.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_one();
    }

    /// Refuses batches until [`Queue::resume`]. Returns those that wait.
    pub(super) fn suspend(&self, why: SqliteFailure) -> Vec<BatchJob> {
        let mut state = self.lock();
        state.suspended = Some(why);
        state.bytes = 0;
        state.jobs.drain(..).collect()
    }

    /// Takes batches again.
    pub(super) fn resume(&self) {
        self.lock().suspended = None;
    }

    /// Waits up to this long for the queue to be closed. Returns whether it is.
    pub(super) fn wait_closed(&self, patience: Duration) -> bool {
        let waited = self.filled.wait_timeout_while(self.lock(), patience, |state| !state.closed);
        waited.unwrap_or_else(PoisonError::into_inner).0.closed
    }

    /// Whether it lets nothing more in.
    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
