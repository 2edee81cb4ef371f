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
    history::History,
    settings::CanvasSettings,
    work::{Job, Verdict, Work},
    writer::Writer,
};

/// How often a command looks for a writer before it gives up: one may be going just when another is asked for.
const TRIES: usize = 4;

/// What all writers share.
pub(super) struct Common {
    pub(super) guard: Guard,
    pub(super) settings: CanvasSettings,
    pub(super) command_limits: CommandLimits,
    /// Bytes of all writers' states.
    pub(super) bytes: AtomicUsize,
}

/// The writers, by canvas.
pub(super) struct Busy {
    common: Arc<Common>,
    /// Jobs that wait for one writer.
    queue: usize,
    writers: Cache<String, Handle>,
    generation: AtomicU64,
}

/// The way to a writer.
#[derive(Clone)]
struct Handle {
    generation: u64,
    queue: mpsc::Sender<Job>,
    line: Arc<Line>,
}

/// Those who wait for room in a writer's queue, first come first served.
#[derive(Default)]
struct Line {
    length: AtomicUsize,
    first: Mutex<()>,
}

/// A place in a [`Line`], given up when it is dropped.
struct InLine<'a>(&'a Line);

impl Busy {
    pub(super) fn new(guard: Guard, limits: &Limits, settings: CanvasSettings) -> Self {
        Self {
            queue: limits.write_queue.max(1),
            writers: Cache::new(settings.busy_canvases.max(1)),
            generation: AtomicU64::new(0),
            common: Arc::new(Common {
                guard,
                settings,
                command_limits: CommandLimits::from(limits),
                bytes: AtomicUsize::new(0),
            }),
        }
    }

    /// Hands a command to its canvas's writer and waits for the verdict. Waits too while the writer's queue is full, for as
    /// long as the caller likes.
    pub(super) async fn decide(
        self: &Arc<Self>,
        history: &History,
        work: &Arc<Work>,
        clear_to: u64,
        at_least: u64,
    ) -> Result<Verdict> {
        let name = history.scope.key(&[history.id.as_str()]);
        for _ in 0..TRIES {
            let (reply, verdict) = oneshot::channel();
            let job = Job { work: Arc::clone(work), clear_to, at_least, reply };
            let handle = self.writer(&name, history);
            // Whatever the task's budget: a task that yielded here would let its own later commands pass.
            if !unconstrained(handle.send(job)).await {
                self.forget(&name, handle.generation);
                continue;
            }
            // A writer ends when nobody can reach it any more; who only waits for an answer must not keep it.
            drop(handle);
            return verdict.await.map_err(|_| lost());
        }
        Err(lost())
    }

    fn writer(self: &Arc<Self>, name: &str, history: &History) -> Handle {
        let start = || -> Result<Handle, std::convert::Infallible> {
            let (queue, jobs) = mpsc::channel(self.queue);
            let generation = self.generation.fetch_add(1, Ordering::Relaxed);
            let place = Place { busy: Arc::downgrade(self), name: name.to_owned(), generation };
            tokio::spawn(Writer::new(Arc::clone(&self.common), Arc::new(history.clone()), place).run(jobs));
            Ok(Handle { generation, queue, line: Arc::default() })
        };
        match self.writers.get_or_insert_with(name, start) {
            Ok(handle) => handle,
            Err(never) => match never {},
        }
    }

    /// Lets go of a writer, so that it ends once its queue is empty.
    fn forget(&self, name: &str, generation: u64) {
        self.writers.remove_if(name, |handle| handle.generation == generation);
    }
}

impl Handle {
    /// Puts a job into the queue, once there is room; commands of one task in the order of their first polls. Says whether
    /// the writer is there to take it.
    ///
    /// The queue alone does not keep that order: it gives room that has become free to those who wait, but who comes while
    /// they have yet to be polled takes what is left over, and is in before them.
    async fn send(&self, job: Job) -> bool {
        let job = if self.line.length.load(Ordering::Acquire) == 0 {
            match self.queue.try_send(job) {
                Ok(()) => return true,
                Err(mpsc::error::TrySendError::Closed(_)) => return false,
                Err(mpsc::error::TrySendError::Full(job)) => job,
            }
        } else {
            job
        };
        let _place = self.line.join();
        let _first = self.line.first.lock().await;
        self.queue.send(job).await.is_ok()
    }
}

impl Line {
    fn join(&self) -> InLine<'_> {
        self.length.fetch_add(1, Ordering::AcqRel);
        InLine(self)
    }
}

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        self.0.length.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A writer's own place among the writers.
pub(super) struct Place {
    busy: Weak<Busy>,
    name: String,
    generation: u64,
}

impl Place {
    /// Gives it up: nobody new gets to this writer.
    pub(super) fn leave(&self) {
        if let Some(busy) = self.busy.upgrade() {
            busy.forget(&self.name, self.generation);
        }
    }
}

fn lost() -> Error {
    let detail = "the canvas's writer stopped before it answered; look at the head, or send the command again with its \
                  idempotency key";
    Error::new(Code::OutcomeUnknown, "canvas.command", detail).retry_after(std::time::Duration::from_secs(1))
}
