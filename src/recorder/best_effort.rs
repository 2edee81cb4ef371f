//! The recorder that never makes its caller wait.

use std::{fmt, sync::Arc};

use engines_core::{DatasetEvent, RequestContext};
use engines_storage::event_log::EventLog;
use tokio::sync::{Mutex, Semaphore, mpsc, oneshot};

use super::{
    RecorderCounts, RecorderSettings,
    counters::RecorderCounters,
    worker::{self, RecorderMessage},
};

/// Records dataset events without making the caller wait, and counts those it could not record. Use it for events whose
/// loss is acceptable. Cheap to clone; clones share one queue.
///
/// Waiting events are lost when the process ends. An event that fails is not retried.
///
/// ```
/// # #[tokio::main] async fn main() -> engines::Result<()> {
/// use engines::core::event::EventLogEntry;
/// # let engine = engines::Engine::builder().memory().build().await?;
/// # let context = engines::core::testing::context("t_acme", "ada", engines::Role::Member)?;
/// let entry = EventLogEntry::new("checkout", "pricing-agent").input("question", "How much?").output("answer", "12");
/// assert!(engine.recorder().record(&context, entry));
/// engine.recorder().flush().await;
/// assert_eq!(engine.recorder().counts().recorded, 1);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Recorder(Arc<RecorderInner>);

struct RecorderInner {
    queue: std::sync::RwLock<Option<mpsc::Sender<RecorderMessage>>>,
    /// The free bytes.
    budget: Arc<Semaphore>,
    counts: Arc<RecorderCounters>,
    worker_ended: Mutex<Option<oneshot::Receiver<()>>>,
}

impl Recorder {
    pub(crate) fn start(log: EventLog, settings: &RecorderSettings) -> Self {
        let (queue, waiting) = mpsc::channel(settings.queue.max(1));
        let (ending, ended) = oneshot::channel();
        let counts = Arc::new(RecorderCounters::default());
        let run = worker::run_worker(log, waiting, settings.in_flight.max(1), Arc::clone(&counts));
        // The task ends when the last recorder is dropped, or the recorder is closed.
        drop(tokio::spawn(async move {
            run.await;
            drop(ending);
        }));
        let queue = std::sync::RwLock::new(Some(queue));
        let budget = Arc::new(Semaphore::new(settings.queue_bytes.min(Semaphore::MAX_PERMITS)));
        Self(Arc::new(RecorderInner { queue, budget, counts, worker_ended: Mutex::new(Some(ended)) }))
    }

    /// Queues an event of the context's actor. Never waits; returns whether there was room.
    pub fn record(&self, context: &RequestContext, event: impl Into<DatasetEvent>) -> bool {
        let event = event.into();
        let bytes = u32::try_from(event.size()).unwrap_or(u32::MAX);
        let Ok(permit) = Arc::clone(&self.0.budget).try_acquire_many_owned(bytes) else {
            self.0.counts.count_dropped();
            return false;
        };
        let queue = self.0.queue.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Counted before the worker can finish it.
        let Some(slot) = queue.as_ref().and_then(|queue| queue.try_reserve().ok()) else {
            self.0.counts.count_dropped();
            return false;
        };
        self.0.counts.count_accepted();
        slot.send(RecorderMessage::Event(Box::new((context.clone(), event, permit))));
        true
    }

    /// The counters of the recorder's events.
    #[must_use]
    pub fn counts(&self) -> RecorderCounts {
        self.0.counts.snapshot()
    }

    /// Waits until every event that was accepted before the call is durable or has failed.
    pub async fn flush(&self) {
        let queue = self.0.queue.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        let (done, settled) = oneshot::channel();
        if let Some(queue) = queue
            && queue.send(RecorderMessage::Flush(done)).await.is_ok()
        {
            // It fails when the recorder was closed meanwhile, and then no event is waiting either.
            let _ = settled.await;
        }
    }

    /// Accepts no more events, and waits until every accepted one is durable or has failed.
    pub async fn close(&self) {
        self.0.queue.write().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(ended) = self.0.worker_ended.lock().await.take() {
            // The sender is only ever dropped, never used.
            let _ = ended.await;
        }
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("counts", &self.counts()).finish_non_exhaustive()
    }
}
