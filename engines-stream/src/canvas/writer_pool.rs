//! The writers of the canvases that are being edited now.

use std::sync::{
    Arc, Weak,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use engines_core::{Code, Error, Guard, Limits, Result, command::CommandLimits};
use quick_cache::sync::Cache;
use tokio::{
    sync::{Mutex, mpsc, oneshot},
    task::coop::unconstrained,
};

use super::{
    history::CanvasHistory,
    pending_command::{CommandJob, CommandOutcome, PendingCommand},
    settings::CanvasSettings,
    writer::CanvasWriter,
};

/// How often a command looks for a writer before it gives up: one may be going just when another is asked for.
const MAX_WRITER_LOOKUPS: usize = 4;

/// What all writers share.
pub(super) struct WriterContext {
    pub(super) guard: Guard,
    pub(super) settings: CanvasSettings,
    pub(super) command_limits: CommandLimits,
    /// Bytes of all writers' states.
    pub(super) held_bytes: AtomicUsize,
}

/// The writers, by canvas.
pub(super) struct WriterPool {
    context: Arc<WriterContext>,
    /// Jobs that wait for one writer.
    queue_length: usize,
    writers: Cache<String, WriterHandle>,
    generation: AtomicU64,
}

/// The way to a writer.
#[derive(Clone)]
struct WriterHandle {
    generation: u64,
    queue: mpsc::Sender<CommandJob>,
    queue_order: Arc<FairQueue>,
}

/// Those who wait for room in a writer's queue, first come first served.
#[derive(Default)]
struct FairQueue {
    waiting: AtomicUsize,
    front: Mutex<()>,
}

/// A place in a [`Line`], given up when it is dropped.
struct QueueSlot<'a>(&'a FairQueue);

impl WriterPool {
    pub(super) fn new(guard: Guard, limits: &Limits, settings: CanvasSettings) -> Self {
        Self {
            queue_length: limits.write_queue.max(1),
            writers: Cache::new(settings.busy_canvases.max(1)),
            generation: AtomicU64::new(0),
            context: Arc::new(WriterContext {
                guard,
                settings,
                command_limits: CommandLimits::from(limits),
                held_bytes: AtomicUsize::new(0),
            }),
        }
    }

    /// Hands a command to its canvas's writer and waits for the verdict. Waits too while the writer's queue is full, for as
    /// long as the caller likes.
    pub(super) async fn submit(
        self: &Arc<Self>,
        history: &CanvasHistory,
        work: &Arc<PendingCommand>,
        clear_to: u64,
        at_least: u64,
    ) -> Result<CommandOutcome> {
        let name = history.scope.key(&[history.id.as_str()]);
        for _ in 0..MAX_WRITER_LOOKUPS {
            let (reply, verdict) = oneshot::channel();
            let job = CommandJob { command: Arc::clone(work), untouched_to: clear_to, min_head: at_least, reply };
            let handle = self.writer(&name, history);
            // Whatever the task's budget: a task that yielded here would let its own later commands pass.
            if !unconstrained(handle.enqueue(job)).await {
                self.remove_writer(&name, handle.generation);
                continue;
            }
            // A writer ends when nobody can reach it any more; who only waits for an answer must not keep it.
            drop(handle);
            return verdict.await.map_err(|_| writer_lost());
        }
        Err(writer_lost())
    }

    fn writer(self: &Arc<Self>, name: &str, history: &CanvasHistory) -> WriterHandle {
        let start = || -> Result<WriterHandle, std::convert::Infallible> {
            let (queue, jobs) = mpsc::channel(self.queue_length);
            let generation = self.generation.fetch_add(1, Ordering::Relaxed);
            let place = WriterRegistration { pool: Arc::downgrade(self), name: name.to_owned(), generation };
            tokio::spawn(CanvasWriter::new(Arc::clone(&self.context), Arc::new(history.clone()), place).run(jobs));
            Ok(WriterHandle { generation, queue, queue_order: Arc::default() })
        };
        match self.writers.get_or_insert_with(name, start) {
            Ok(handle) => handle,
            Err(never) => match never {},
        }
    }

    /// Lets go of a writer, so that it ends once its queue is empty.
    fn remove_writer(&self, name: &str, generation: u64) {
        self.writers.remove_if(name, |handle| handle.generation == generation);
    }
}

impl WriterHandle {
    /// Puts a job into the queue, once there is room; commands of one task in the order of their first polls. Says whether
    /// the writer is there to take it.
    ///
    /// The queue alone does not keep that order: it gives room that has become free to those who wait, but who comes while
    /// they have yet to be polled takes what is left over, and is in before them.
    async fn enqueue(&self, job: CommandJob) -> bool {
        let job = if self.queue_order.waiting.load(Ordering::Acquire) == 0 {
            match self.queue.try_send(job) {
                Ok(()) => return true,
                Err(mpsc::error::TrySendError::Closed(_)) => return false,
                Err(mpsc::error::TrySendError::Full(job)) => job,
            }
        } else {
            job
        };
        let _place = self.queue_order.join();
        let _first = self.queue_order.front.lock().await;
        self.queue.send(job).await.is_ok()
    }
}

impl FairQueue {
    fn join(&self) -> QueueSlot<'_> {
        self.waiting.fetch_add(1, Ordering::AcqRel);
        QueueSlot(self)
    }
}

impl Drop for QueueSlot<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A writer's own place among the writers.
pub(super) struct WriterRegistration {
    pool: Weak<WriterPool>,
    name: String,
    generation: u64,
}

impl WriterRegistration {
    /// Gives it up: nobody new gets to this writer.
    pub(super) fn unregister(&self) {
        if let Some(busy) = self.pool.upgrade() {
            busy.remove_writer(&self.name, self.generation);
        }
    }
}

fn writer_lost() -> Error {
    let detail = "the canvas's writer stopped before it answered; look at the head, or send the command again with its \
                  idempotency key";
    Error::new(Code::OutcomeUnknown, "canvas.command", detail).with_retry_after(std::time::Duration::from_secs(1))
}
