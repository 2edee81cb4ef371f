//! [`NoopSink`].

use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use engines_core::{
    CleanEvent, Result, Scope,
    nexus::{EventSink, SinkError},
};

/// A sink that accepts every event, counts it and discards it: for deployments without a destination, and for tests.
#[derive(Debug, Default)]
pub struct NoopSink {
    batches: AtomicU64,
    events: AtomicU64,
}

impl NoopSink {
    /// Returns the number of batches accepted so far.
    #[must_use]
    pub fn batches(&self) -> u64 {
        self.batches.load(Ordering::Relaxed)
    }

    /// Returns the number of events accepted so far; an event that is delivered twice counts twice.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl EventSink for NoopSink {
    fn name(&self) -> &str {
        "noop"
    }

    async fn write(&self, _: &Scope, batch: &[CleanEvent]) -> Result<(), SinkError> {
        self.batches.fetch_add(1, Ordering::Relaxed);
        self.events.fetch_add(batch.len() as u64, Ordering::Relaxed);
        Ok(())
    }
}
