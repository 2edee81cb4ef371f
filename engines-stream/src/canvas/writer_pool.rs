//! The writers of the canvases that are being edited.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use engines_core::{Code, Error, Guard, Limits, Result, command::CommandLimits};
use quick_cache::sync::Cache;
use tokio::{
    sync::{mpsc, oneshot},
    task::coop::unconstrained,
};

use super::{
    fair_queue::FairQueue,
    history::CanvasHistory,
    pending_command::{CommandJob, CommandOutcome, PendingCommand, RebaseProgress},
    settings::CanvasSettings,
    writer::CanvasWriter,
    writer_context::{WriterContext, WriterRegistration},
};

/// How often a command looks for a writer before it fails: a writer may end just when a command looks for it.
const MAX_WRITER_LOOKUPS: usize = 4;

/// The writers, by canvas.
pub(super) struct WriterPool {
    context: Arc<WriterContext>,
    /// The most jobs that wait for one writer.
    queue_length: usize,
    writers: Cache<String, WriterHandle>,
    generation: AtomicU64,
}

/// The connection to a writer.
#[derive(Clone)]
struct WriterHandle {
    generation: u64,
    queue: mpsc::Sender<CommandJob>,
    queue_order: Arc<FairQueue>,
}

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

    /// Submits a command to its canvas's writer and waits for the outcome. It also waits while the writer's queue is
    /// full, without a time limit.
    pub(super) async fn submit(
        self: &Arc<Self>,
        history: &CanvasHistory,
        command: &Arc<PendingCommand>,
        progress: RebaseProgress,
    ) -> Result<CommandOutcome> {
        let name = history.scope.key(&[history.id.as_str()]);
        for _ in 0..MAX_WRITER_LOOKUPS {
            let (reply, outcome) = oneshot::channel();
            let job = CommandJob { command: Arc::clone(command), progress, reply };
            let handle = self.writer(&name, history);
            // The task's budget is ignored: a task that yielded here would let its own later commands overtake this
            // one.
            if !unconstrained(handle.enqueue(job)).await {
                self.remove_writer(&name, handle.generation);
                continue;
            }
            // A writer ends when it is unreachable; a caller that only waits for an answer must not keep it running.
            drop(handle);
            return outcome.await.map_err(|_| writer_lost());
        }
        Err(writer_lost())
    }

    fn writer(self: &Arc<Self>, name: &str, history: &CanvasHistory) -> WriterHandle {
        let start = || -> Result<WriterHandle, std::convert::Infallible> {
            let (queue, jobs) = mpsc::channel(self.queue_length);
            let generation = self.generation.fetch_add(1, Ordering::Relaxed);
            let (pool, name) = (Arc::downgrade(self), name.to_owned());
            let registration = WriterRegistration::new(move || {
                if let Some(pool) = pool.upgrade() {
                    pool.remove_writer(&name, generation);
                }
            });
            let writer = CanvasWriter::new(Arc::clone(&self.context), Arc::new(history.clone()), registration);
            tokio::spawn(writer.run(jobs));
            Ok(WriterHandle { generation, queue, queue_order: Arc::default() })
        };
        match self.writers.get_or_insert_with(name, start) {
            Ok(handle) => handle,
            Err(never) => match never {},
        }
    }

    /// Removes a writer, so that it ends once its queue is empty.
    fn remove_writer(&self, name: &str, generation: u64) {
        self.writers.remove_if(name, |handle| handle.generation == generation);
    }
}

impl WriterHandle {
    /// Puts a job into the queue as soon as there is room; commands of one task keep the order of their first polls.
    /// Returns whether the writer accepts it.
    ///
    /// The channel alone does not keep that order: it assigns freed room to waiting tasks, but a task that arrives
    /// before these are polled takes what is left over and overtakes them.
    async fn enqueue(&self, job: CommandJob) -> bool {
        let job = if self.queue_order.is_empty() {
            match self.queue.try_send(job) {
                Ok(()) => return true,
                Err(mpsc::error::TrySendError::Closed(_)) => return false,
                Err(mpsc::error::TrySendError::Full(job)) => job,
            }
        } else {
            job
        };
        let slot = self.queue_order.join();
        let _front = slot.reach_front().await;
        self.queue.send(job).await.is_ok()
    }
}

fn writer_lost() -> Error {
    let detail = "the canvas's writer stopped before it answered; look at the head, or send the command again with its \
                  idempotency key";
    Error::new(Code::OutcomeUnknown, "canvas.command", detail).with_retry_after(std::time::Duration::from_secs(1))
}
