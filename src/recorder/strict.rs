//! The recorder that reports whether an event is durable.

use engines_core::{DatasetEvent, RequestContext, Result};
use engines_storage::event_log::{EventLog, RecordedEvent};

/// Records the dataset events of one caller; each is durable when the call returns. Use it for events that must not be
/// lost.
///
/// ```
/// # #[tokio::main] async fn main() -> engines::Result<()> {
/// use engines::core::event::EventLogEntry;
/// # let engine = engines::Engine::builder().memory().build().await?;
/// # let context = engines::core::testing::context("t_acme", "ada", engines::Role::Member)?;
/// let recorder = engine.strict_recorder(context);
/// let entry = EventLogEntry::new("checkout", "pricing-agent").idempotency_key("run-7/step-3");
/// let recorded = recorder.record(entry.clone()).await?;
/// assert_eq!(recorder.record(entry).await?.event_id, recorded.event_id);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct StrictRecorder {
    log: EventLog,
    context: RequestContext,
}

impl StrictRecorder {
    pub(crate) fn new(log: EventLog, context: RequestContext) -> Self {
        Self { log, context }
    }

    /// Records an event.
    ///
    /// # Errors
    /// As [`EventLog::record`].
    pub async fn record(&self, event: impl Into<DatasetEvent>) -> Result<RecordedEvent> {
        self.log.record(&self.context, event.into()).await
    }
}
