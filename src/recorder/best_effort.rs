//! The recorder that never makes its caller wait.

use std::{fmt, sync::Arc};

use engines_core::{DatasetEvent, RequestContext, event::EventLog};
use tokio::sync::{Mutex, mpsc, oneshot};

use super::{
    RecorderCounts, RecorderSettings,
    byte_budget::ByteBudget,
    counters::RecorderCounters,
    worker::{self, RecorderMessage},
};
/// Records dataset events as well as it can, and counts what it could not: for events that are worth having and not worth waiting for.
/// Cheap to clone; clones share one queue.
///
/// What waits is lost with the process. An event that fails is not tried again.
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
    budget: ByteBudget,
    counts: Arc<RecorderCounters>,
    worker_ended: Mutex<Option<oneshot::Receiver<()>>>,
}

impl Recorder {
    pub(crate) fn start(log: EventLog, settings: &RecorderSettings) -> Self {
        let (queue, waiting) = mpsc::channel(settings.queue.max(1));
        let (ending, ended) = oneshot::channel();
        let counts = Arc::new(RecorderCounters::default());
        let run = worker::run_worker(log, waiting, settings.in_flight.max(1), Arc::clone(&counts));
        // It ends when the last recorder is gone, or closed.
        drop(tokio::spawn(async move {
            run.await;
            drop(ending);
        }));
        let queue = std::sync::RwLock::new(Some(queue));
        let free = ByteBudget::new(settings.queue_bytes);
        Self(Arc::new(RecorderInner { queue, budget: free, counts, worker_ended: Mutex::new(Some(ended)) }))
    }

    /// Takes an event, on behalf of whoever the context stands for. Never waits; says whether there was room.
    pub fn record(&self, context: &RequestContext, event: impl Into<DatasetEvent>) -> bool {
        let event = event.into();
        let Some(room) = self.0.budget.try_acquire(event.size()) else {
            self.0.counts.count_dropped();
            return false;
        };
        let queue = self.0.queue.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Counted before it can be settled.
        let Some(place) = queue.as_ref().and_then(|queue| queue.try_reserve().ok()) else {
            self.0.counts.count_dropped();
            return false;
        };
        self.0.counts.count_accepted();
        place.send(RecorderMessage::Event(Box::new((context.clone(), event, room))));
        true
    }

    /// What became of its events so far.
    #[must_use]
    pub fn counts(&self) -> RecorderCounts {
        self.0.counts.snapshot()
    }

    /// Waits until every event that was taken before the call is durable, or has failed.
    pub async fn flush(&self) {
        let queue = self.0.queue.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        let (done, settled) = oneshot::channel();
        if let Some(queue) = queue
            && queue.send(RecorderMessage::Flush(done)).await.is_ok()
        {
            // It fails when the recorder was closed meanwhile, and then everything is settled too.
            let _ = settled.await;
        }
    }

    /// Takes no more events, and waits until every one that was taken is durable, or has failed.
    pub async fn close(&self) {
        self.0.queue.write().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(ended) = self.0.worker_ended.lock().await.take() {
            // Its other end is only ever dropped.
            let _ = ended.await;
        }
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("counts", &self.counts()).finish_non_exhaustive()
    }
}
