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
    command_queue::{DeferredReject, InFlightCommit, QueuedCommand},
    commit_event::{CANVAS_COMMIT, CanvasCommit},
    history::{CanvasHistory, StateAtRev},
    in_flight::InFlightQueue,
    model::CommandStatus,
    pending_command::{CommandJob, CommandOutcome, PendingCommand},
    rebase::{MAX_REBASE_ATTEMPTS, RebaseDecision, decide},
    recent_commits::RecentCommits,
    snapshotter::Snapshotter,
    writer_context::{WriterContext, WriterRegistration},
};

/// Jobs taken from the queue at a time.
const MAX_JOBS_PER_TAKE: usize = 256;

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
    pub(super) fn new(
        common: Arc<WriterContext>,
        history: Arc<CanvasHistory>,
        registration: WriterRegistration,
    ) -> Self {
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
            registration,
        }
    }

    /// Runs until the writer is unreachable and all its commands are answered.
    pub(super) async fn run(mut self, mut jobs: mpsc::Receiver<CommandJob>) {
        let (mut open, mut registered) = (true, true);
        let (mut burst, mut settled) = (Vec::with_capacity(MAX_JOBS_PER_TAKE), Vec::new());
        loop {
            while self.desync.is_none() && self.in_flight.len() < self.max_in_flight {
                let Some(queued) = self.backlog.pop_front() else { break };
                self.process(queued).await;
            }
            if self.desync.is_some() && self.in_flight.is_empty() {
                self.reload().await;
                continue;
            }
            let idle = self.in_flight.is_empty() && self.backlog.is_empty();
            if idle && !open {
                return;
            }
            if idle && registered && (self.fatal_error.is_some() || self.is_over_budget()) {
                self.registration.unregister();
                registered = false;
            }
            select! {
                biased;
                () = self.in_flight.next_settled(&mut settled), if !self.in_flight.is_empty() => {
                    for (commit, result) in settled.drain(..) {
                        self.finish_commit(commit, result);
                    }
                    self.release_deferred();
                }
                count = jobs.recv_many(&mut burst, MAX_JOBS_PER_TAKE), if open && self.backlog.is_empty() => {
                    open = count > 0;
                    for job in burst.drain(..) {
                        self.backlog.push_back(QueuedCommand { arrival: self.next_order, job });
                        self.next_order += 1;
                    }
                }
                () = sleep(self.common.settings.idle()), if idle && registered => {
                    self.registration.unregister();
                    registered = false;
                }
            }
        }
    }

    /// Reads the missing commits or the whole state from the log, and then decides the commands again that were built
    /// on commits that are not in it.
    async fn reload(&mut self) {
        let desync = self.desync.take();
        self.recent.clear();
        if self.fatal_error.is_none() {
            let reloaded = match desync {
                Some(Desync::Diverged) => self.reload_all().await,
                _ => self.catch_up().await,
            };
            if let Err(error) = reloaded {
                self.fail(error);
            }
        }
        self.redo.sort_unstable_by_key(|queued| queued.arrival);
        for queued in self.redo.drain(..).rev() {
            self.backlog.push_front(queued);
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
    async fn process(&mut self, queued: QueuedCommand) {
        let CommandJob { command, progress, reply } = &queued.job;
        let progress = *progress;
        if reply.is_closed() {
            return; // Nobody waits for it any more, and nothing has come of it yet.
        }
        if let Some(error) = &self.fatal_error {
            let error = copy_error(error);
            return queued.reply(CommandOutcome::Failed(error));
        }
        let (head, command) = (self.current.rev, Arc::clone(command));
        if progress.min_head > head {
            self.desync = Some(Desync::Behind);
            self.redo.push(queued);
            return;
        }
        let max_distance = self.common.settings.rebase_commits;
        let status = match decide(&command, head, progress.untouched_to, &self.recent, max_distance) {
            RebaseDecision::Apply => CommandStatus::Applied,
            RebaseDecision::Rebase => CommandStatus::Rebased,
            RebaseDecision::ReadLog { .. } => {
                return self.defer(queued, CommandOutcome::StaleBase { log_decides: true, progress });
            }
            RebaseDecision::Reject => {
                return self.defer(queued, CommandOutcome::StaleBase { log_decides: false, progress });
            }
        };
        match self.apply(&command) {
            Ok(()) => self.start_commit(queued, &command, status).await,
            Err(outcome) => self.defer(queued, outcome),
        }
    }

    fn apply(&mut self, command: &PendingCommand) -> Result<(), CommandOutcome> {
        let reducer = &*self.history.reducer;
        let (state, limits) = (&mut self.current.state, &self.common.command_limits);
        // A reducer that panics leaves the state unchanged, and the writer keeps serving other commands.
        let applied = catch_unwind(AssertUnwindSafe(|| apply_batch(reducer, state, &command.ops, limits)));
        match applied {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(CommandOutcome::InvalidOp(error)),
            Err(_) => Err(CommandOutcome::Failed(Error::internal("canvas.reduce", "the reducer panicked"))),
        }
    }

    async fn start_commit(&mut self, queued: QueuedCommand, command: &Arc<PendingCommand>, status: CommandStatus) {
        let head = self.current.rev;
        let rev = head + 1;
        let batch = match self.build_batch(command, status, head) {
            Ok(batch) => batch,
            Err(error) => {
                // The state holds a commit that will not be in the log.
                self.desync = Some(Desync::Diverged);
                return queued.reply(CommandOutcome::Failed(error));
            }
        };
        self.current.rev = rev;
        self.current.tail_bytes += command.ops_json.get().len();
        self.recent.push(rev, Arc::clone(command));
        self.snapshotter.copy_if_due(&mut self.current);
        self.sent += 1;
        let history = Arc::clone(&self.history);
        let commit = Box::pin(async move { history.store.commit(&history.scope, batch).await });
        self.in_flight.push(InFlightCommit { command: queued, rev, status }, commit).await;
    }

    fn build_batch(&self, command: &PendingCommand, status: CommandStatus, head: u64) -> Result<Batch> {
        let guard = &self.common.guard;
        let now = guard.clock().now();
        let event_id = guard.ids().ulid(now);
        let data = CanvasCommit {
            rev: head + 1,
            commit_id: event_id,
            base_rev: command.base_rev,
            command_id: command.command_id.clone(),
            intent: command.intent.clone(),
            ops: &command.ops_json,
        };
        let data = to_raw_value(&data).map_err(|error| Error::internal("canvas.command", error))?;
        let mut event = NewEvent::new(event_id, now, CANVAS_COMMIT, &command.context, data);
        event.ids = command.ids.clone();
        event.routing = command.routing.clone();
        let mut batch = Batch::new(now);
        if let Some(idempotency) = &command.idempotency {
            let mut idempotency = idempotency.clone();
            idempotency.note = status.as_str().to_owned();
            batch = batch.with_idempotency(idempotency);
        }
        let key = self.history.key.clone();
        Ok(batch.append(key, ExpectedHead::Seq(Seq(head)), vec![event]).audit(command.audit.clone()))
    }

    /// Answers the caller of a commit that is done.
    fn finish_commit(&mut self, commit: InFlightCommit, result: Result<CommitReceipt, CommitError>) {
        self.settled += 1;
        let InFlightCommit { command: queued, rev, status } = commit;
        let lost = match result {
            Ok(receipt) => {
                let lost = receipt.replayed;
                if !lost && self.desync != Some(Desync::Diverged) {
                    self.snapshotter.save_if_copied(rev, &self.history, &**self.common.guard.clock());
                }
                queued.reply(outcome_of_receipt(&receipt, status));
                lost
            }
            Err(CommitError::Precondition { .. }) => {
                self.retry(queued);
                true
            }
            Err(error) => {
                queued.reply(CommandOutcome::Failed(error.into()));
                true
            }
        };
        if lost {
            self.desync = Some(Desync::Diverged);
            for rejected in std::mem::take(&mut self.deferred) {
                self.retry(rejected.command);
            }
        }
    }

    fn retry(&mut self, mut queued: QueuedCommand) {
        let progress = &mut queued.job.progress;
        progress.attempts += 1;
        if progress.attempts >= MAX_REBASE_ATTEMPTS {
            let progress = *progress;
            queued.reply(CommandOutcome::StaleBase { log_decides: true, progress });
        } else {
            self.redo.push(queued);
        }
    }

    /// Holds a rejection back until all commits it depends on are done.
    fn defer(&mut self, queued: QueuedCommand, outcome: CommandOutcome) {
        self.deferred.push_back(DeferredReject { after_commits: self.sent, command: queued, outcome });
        self.release_deferred();
    }

    fn release_deferred(&mut self) {
        while self.deferred.front().is_some_and(|front| front.after_commits <= self.settled) {
            if let Some(rejected) = self.deferred.pop_front() {
                rejected.command.reply(rejected.outcome);
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
