//! The writer of one canvas.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering},
};

use engines_core::{
    Batch, Error, Result,
    command::apply_batch,
    nexus::{CommitError, CommitReceipt, ExpectedHead},
    stream::{NewEvent, Seq},
};
use serde_json::value::to_raw_value;
use tokio::{select, sync::mpsc, time::sleep};

use super::{
    commit_event::{CANVAS_COMMIT, CanvasCommit},
    history::{CanvasHistory, StateAtRev},
    in_flight::InFlightQueue,
    model::CommandStatus,
    pending_command::{CommandJob, CommandOutcome, PendingCommand},
    recent_commits::RecentCommits,
    snapshotter::Snapshotter,
    writer_pool::{WriterContext, WriterRegistration},
};

/// Jobs taken from the queue at a time.
const MAX_JOBS_PER_TAKE: usize = 256;
/// How often a command is decided again because commits before it failed.
const MAX_ATTEMPTS: u8 = 8;

/// A job with its number among all jobs of this writer, and how often it was decided again.
struct QueuedCommand {
    arrival: u64,
    attempts: u8,
    job: CommandJob,
}

/// A commit in flight.
struct InFlightCommit {
    command: QueuedCommand,
    rev: u64,
    status: CommandStatus,
}

/// A rejection that holds only if all commits sent before it succeed.
struct DeferredReject {
    /// The number of commits that must be done first.
    after_commits: u64,
    command: QueuedCommand,
    verdict: CommandOutcome,
}

/// Why nothing can be built on the state until the log is read again.
#[derive(Clone, Copy, PartialEq)]
enum Desync {
    /// The log has later commits than the state.
    Behind,
    /// The state holds a commit that is not in the log.
    Diverged,
}

/// Owns a canvas's state at the newest revision that was sent to the store.
pub(super) struct CanvasWriter {
    common: Arc<WriterContext>,
    history: Arc<CanvasHistory>,
    registration: WriterRegistration,
    current: StateAtRev,
    /// Set when the log cannot be read: every command then fails with this error.
    fatal_error: Option<Error>,
    desync: Option<Desync>,
    max_in_flight: usize,
    in_flight: InFlightQueue<InFlightCommit>,
    sent: u64,
    settled: u64,
    backlog: VecDeque<QueuedCommand>,
    deferred: VecDeque<DeferredReject>,
    redo: Vec<QueuedCommand>,
    next_order: u64,
    recent: RecentCommits,
    snapshotter: Snapshotter,
    /// The bytes of this writer that are counted in [`WriterContext::held_bytes`].
    counted_bytes: usize,
}

impl CanvasWriter {
    pub(super) fn new(common: Arc<WriterContext>, history: Arc<CanvasHistory>, place: WriterRegistration) -> Self {
        let settings = &common.settings;
        let pipelined = history.store.capabilities().pipelined;
        Self {
            max_in_flight: if pipelined { settings.in_flight.max(1) } else { 1 },
            recent: RecentCommits::new(settings.recent_commits, settings.recent_bytes),
            snapshotter: Snapshotter::new(settings.snapshot_bytes),
            current: StateAtRev::empty(),
            fatal_error: None,
            desync: Some(Desync::Diverged),
            in_flight: InFlightQueue::new(),
            sent: 0,
            settled: 0,
            backlog: VecDeque::new(),
            deferred: VecDeque::new(),
            redo: Vec::new(),
            next_order: 0,
            counted_bytes: 0,
            common,
            history,
            registration: place,
        }
    }

    /// Runs until the writer is unreachable and all its commands are answered.
    pub(super) async fn run(mut self, mut jobs: mpsc::Receiver<CommandJob>) {
        let (mut open, mut stays) = (true, true);
        let (mut burst, mut settled) = (Vec::with_capacity(MAX_JOBS_PER_TAKE), Vec::new());
        loop {
            while self.desync.is_none() && self.in_flight.len() < self.max_in_flight {
                let Some(turn) = self.backlog.pop_front() else { break };
                self.process(turn).await;
            }
            if self.desync.is_some() && self.in_flight.is_empty() {
                self.reload().await;
                continue;
            }
            let idle = self.in_flight.is_empty() && self.backlog.is_empty();
            if idle && !open {
                return;
            }
            if idle && stays && (self.fatal_error.is_some() || self.is_over_budget()) {
                self.registration.unregister();
                stays = false;
            }
            select! {
                biased;
                () = self.in_flight.next_settled(&mut settled), if !self.in_flight.is_empty() => {
                    for (ticket, result) in settled.drain(..) {
                        self.finish_commit(ticket, result);
                    }
                    self.release_deferred();
                }
                count = jobs.recv_many(&mut burst, MAX_JOBS_PER_TAKE), if open && self.backlog.is_empty() => {
                    open = count > 0;
                    for job in burst.drain(..) {
                        self.backlog.push_back(QueuedCommand { arrival: self.next_order, attempts: 0, job });
                        self.next_order += 1;
                    }
                }
                () = sleep(self.common.settings.idle()), if idle && stays => {
                    self.registration.unregister();
                    stays = false;
                }
            }
        }
    }

    /// Reads the missing commits or the whole state from the log, and then decides the commands again that were built
    /// on commits that are not in it.
    async fn reload(&mut self) {
        let torn = self.desync.take();
        self.recent.clear();
        if self.fatal_error.is_none() {
            let mended = match torn {
                Some(Desync::Diverged) => self.reload_all().await,
                _ => self.catch_up().await,
            };
            if let Err(error) = mended {
                self.fail(error);
            }
        }
        self.redo.sort_unstable_by_key(|turn| turn.arrival);
        for turn in self.redo.drain(..).rev() {
            self.backlog.push_front(turn);
        }
    }

    async fn reload_all(&mut self) -> Result<()> {
        self.snapshotter.discard_pending();
        // The old state is dropped before the new one is read, because two of them may need too much memory.
        self.current = StateAtRev::empty();
        let head = self.history.head().await?;
        self.current = self.history.state_at(head).await?;
        Ok(())
    }

    async fn catch_up(&mut self) -> Result<()> {
        let head = self.history.head().await?;
        self.history.advance(&mut self.current, head).await
    }

    fn fail(&mut self, error: Error) {
        self.desync = None;
        self.fatal_error = Some(error);
        self.current = StateAtRev::empty();
    }

    /// Decides one command: sends its commit, or rejects it.
    async fn process(&mut self, turn: QueuedCommand) {
        let CommandJob { command: work, untouched_to: clear_to, min_head: at_least, reply } = &turn.job;
        if reply.is_closed() {
            return; // Nobody waits for it any more, and nothing has come of it yet.
        }
        if let Some(error) = &self.fatal_error {
            let error = copy_error(error);
            return turn.reply(CommandOutcome::Failed(error));
        }
        let (head, work) = (self.current.rev, Arc::clone(work));
        if *at_least > head {
            self.desync = Some(Desync::Behind);
            self.redo.push(turn);
            return;
        }
        let status = if work.base_rev == head {
            CommandStatus::Applied
        } else if work.may_rebase(head) && (*clear_to == head || self.recent.untouched_since(*clear_to, &work)) {
            CommandStatus::Rebased
        } else {
            return self.defer(turn, CommandOutcome::StaleBase);
        };
        match self.apply(&work) {
            Ok(()) => self.start_commit(turn, &work, status).await,
            Err(refusal) => self.defer(turn, refusal),
        }
    }

    fn apply(&mut self, work: &PendingCommand) -> Result<(), CommandOutcome> {
        let reducer = &*self.history.reducer;
        let (state, limits) = (&mut self.current.state, &self.common.command_limits);
        // A reducer that panics leaves the state unchanged, and the writer keeps serving other commands.
        let applied = catch_unwind(AssertUnwindSafe(|| apply_batch(reducer, state, &work.ops, limits)));
        match applied {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(CommandOutcome::InvalidOp(error)),
            Err(_) => Err(CommandOutcome::Failed(Error::internal("canvas.reduce", "the reducer panicked"))),
        }
    }

    async fn start_commit(&mut self, turn: QueuedCommand, work: &Arc<PendingCommand>, status: CommandStatus) {
        let head = self.current.rev;
        let rev = head + 1;
        let batch = match self.build_batch(work, status, head) {
            Ok(batch) => batch,
            Err(error) => {
                // The state holds a commit that will not be in the log.
                self.desync = Some(Desync::Diverged);
                return turn.reply(CommandOutcome::Failed(error));
            }
        };
        self.current.rev = rev;
        self.current.tail_bytes += work.ops_json.get().len();
        self.recent.push(rev, Arc::clone(work));
        self.snapshotter.copy_if_due(&mut self.current);
        self.sent += 1;
        let history = Arc::clone(&self.history);
        let commit = Box::pin(async move { history.store.commit(&history.scope, batch).await });
        self.in_flight.push(InFlightCommit { command: turn, rev, status }, commit).await;
    }

    fn build_batch(&self, work: &PendingCommand, status: CommandStatus, head: u64) -> Result<Batch> {
        let guard = &self.common.guard;
        let now = guard.clock().now();
        let event_id = guard.ids().ulid(now);
        let data = CanvasCommit {
            rev: head + 1,
            commit_id: event_id,
            base_rev: work.base_rev,
            command_id: work.command_id.clone(),
            intent: work.intent.clone(),
            ops: &work.ops_json,
        };
        let data = to_raw_value(&data).map_err(|error| Error::internal("canvas.command", error))?;
        let mut event = NewEvent::new(event_id, now, CANVAS_COMMIT, &work.context, data);
        event.ids = work.ids.clone();
        event.routing = work.routing.clone();
        let mut batch = Batch::new(now);
        if let Some(once) = &work.idempotency {
            let mut once = once.clone();
            once.note = status.as_str().to_owned();
            batch = batch.with_idempotency(once);
        }
        let key = self.history.key.clone();
        Ok(batch.append(key, ExpectedHead::Seq(Seq(head)), vec![event]).audit(work.audit.clone()))
    }

    /// Answers the caller of a commit that is done.
    fn finish_commit(&mut self, ticket: InFlightCommit, result: Result<CommitReceipt, CommitError>) {
        self.settled += 1;
        let InFlightCommit { command: turn, rev, status } = ticket;
        let lost = match result {
            Ok(receipt) => {
                let lost = receipt.replayed;
                if !lost && self.desync != Some(Desync::Diverged) {
                    self.snapshotter.save_if_copied(rev, &self.history, &self.common);
                }
                turn.reply(outcome_of_receipt(&receipt, status));
                lost
            }
            Err(CommitError::Precondition { .. }) => {
                self.retry(turn);
                true
            }
            Err(error) => {
                turn.reply(CommandOutcome::Failed(error.into()));
                true
            }
        };
        if lost {
            self.desync = Some(Desync::Diverged);
            for parked in std::mem::take(&mut self.deferred) {
                self.retry(parked.command);
            }
        }
    }

    fn retry(&mut self, mut turn: QueuedCommand) {
        turn.attempts += 1;
        if turn.attempts > MAX_ATTEMPTS {
            turn.reply(CommandOutcome::StaleBase);
        } else {
            self.redo.push(turn);
        }
    }

    /// Holds a rejection back until all commits it depends on are done.
    fn defer(&mut self, turn: QueuedCommand, verdict: CommandOutcome) {
        self.deferred.push_back(DeferredReject { after_commits: self.sent, command: turn, verdict });
        self.release_deferred();
    }

    fn release_deferred(&mut self) {
        while self.deferred.front().is_some_and(|parked| parked.after_commits <= self.settled) {
            if let Some(parked) = self.deferred.pop_front() {
                parked.command.reply(parked.verdict);
            }
        }
    }

    /// Whether all writers together hold too many bytes; counts this writer's state first.
    fn is_over_budget(&mut self) -> bool {
        let weight = self.current.state.size() + self.recent.bytes();
        let bytes = &self.common.held_bytes;
        bytes.fetch_sub(self.counted_bytes, Ordering::Relaxed);
        let others = bytes.fetch_add(weight, Ordering::Relaxed);
        self.counted_bytes = weight;
        others.saturating_add(weight) > self.common.settings.busy_bytes
    }
}

impl Drop for CanvasWriter {
    fn drop(&mut self) {
        self.common.held_bytes.fetch_sub(self.counted_bytes, Ordering::Relaxed);
    }
}

impl QueuedCommand {
    fn reply(self, verdict: CommandOutcome) {
        // The caller may have stopped waiting; the answer is then dropped.
        let _ = self.job.reply.send(verdict);
    }
}

/// The outcome that a receipt reports: the first answer, if the command is a repeated one.
fn outcome_of_receipt(receipt: &CommitReceipt, status: CommandStatus) -> CommandOutcome {
    let Some(appended) = receipt.appended.first() else {
        return CommandOutcome::Failed(Error::internal("canvas.command", "the store's receipt names no append"));
    };
    let status = if receipt.replayed { CommandStatus::from_note(&receipt.note) } else { status };
    CommandOutcome::Committed { rev: appended.last.0, event_id: appended.event_id, status, replayed: receipt.replayed }
}

/// A copy of an error for one more caller, without its source, which was reported once.
fn copy_error(error: &Error) -> Error {
    let copy = Error::new(error.code(), error.operation(), error.detail().to_owned());
    match error.retry_after() {
        Some(wait) => copy.with_retry_after(wait),
        None => copy,
    }
}
