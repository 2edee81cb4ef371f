//! [`OutboxStatus`]: the status of a sink's delivery.

use std::sync::{Mutex, MutexGuard, PoisonError};

use engines_core::{Code, Timestamp};

/// The status of a sink's delivery, for metrics and operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxStatus {
    /// The sink's name.
    pub sink: String,
    /// The feed position up to which all events were delivered, as stored in the checkpoint.
    pub position: u64,
    /// Number of events delivered since the start; an event that was delivered twice counts twice.
    pub delivered: u64,
    /// Number of events that the sink rejected since the start. They are not delivered again.
    pub rejected: u64,
    /// Number of events withheld since the start because they could not be scrubbed again.
    pub withheld: u64,
    /// Number of failed attempts since the start: to read the feed, to write to the sink, to save the checkpoint.
    pub failures: u64,
    /// Number of consecutive failures up to now; 0 after a success.
    pub failing: u32,
    /// The code of the last failure.
    pub last_failure: Option<Code>,
    /// The time at which the oldest event known to be waiting was recorded; `None` when everything had been delivered
    /// at the worker's last read.
    pub waiting_since: Option<Timestamp>,
}

/// A status that one worker writes and any thread reads.
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
