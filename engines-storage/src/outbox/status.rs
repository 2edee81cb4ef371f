//! How a sink is doing.

use std::sync::{Mutex, MutexGuard, PoisonError};

use engines_core::{Code, Timestamp};

/// How a sink is doing, for metrics and for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxStatus {
    /// The sink's name.
    pub sink: String,
    /// The place in the feed up to which everything was delivered, as kept in the store.
    pub position: u64,
    /// Events the sink took since the start, repeated ones too.
    pub delivered: u64,
    /// Events the sink rejected for good since the start.
    pub rejected: u64,
    /// Events that were held back since the start because they could not be scrubbed again.
    pub withheld: u64,
    /// Tries that failed since the start: of the sink, of the feed, of keeping the place.
    pub failures: u64,
    /// Failures in a row, right now; 0 when all is well.
    pub failing: u32,
    /// What the last failure was.
    pub last_failure: Option<Code>,
    /// When the oldest event that is known to wait was recorded; none when the sink had everything at the last look.
    pub waiting_since: Option<Timestamp>,
}

/// A status that is written by one worker and read by anybody.
#[derive(Debug)]
pub(super) struct SharedStatus(Mutex<OutboxStatus>);

impl SharedStatus {
    pub(super) fn new(sink: &str) -> Self {
        Self(Mutex::new(OutboxStatus {
            sink: sink.to_owned(),
            position: 0,
            delivered: 0,
            rejected: 0,
            withheld: 0,
            failures: 0,
            failing: 0,
            last_failure: None,
            waiting_since: None,
        }))
    }

    pub(super) fn snapshot(&self) -> OutboxStatus {
        self.lock().clone()
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut OutboxStatus)) {
        change(&mut self.lock());
    }

    fn lock(&self) -> MutexGuard<'_, OutboxStatus> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
