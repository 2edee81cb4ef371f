//! The writer of one busy canvas.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering},
};

use engines_core::{
    Batch, Error, Result,
    command::apply_batch,
    nexus::{CommitError, ExpectedHead, Receipt},
    stream::{NewEvent, Seq},
};
use serde_json::value::to_raw_value;
use tokio::{select, sync::mpsc, time::sleep};

use super::{
    busy::{Common, Place},
    history::{History, Loaded},
    in_flight::InFlight,
    keeper::Keeper,
    model::Status,
    recent::Recent,
    record::{CANVAS_COMMIT, CanvasCommit},
    work::{Job, Verdict, Work},
};

/// Jobs taken from the queue at a time.
const BURST: usize = 256;
/// How often a command is decided anew because commits before it failed.
const ATTEMPTS: u8 = 8;

/// A job with its place among all of this writer's, and how often it has been decided anew.
struct Turn {
    order: u64,
    attempts: u8,
    job: Job,
}

/// A commit under way.
struct Ticket {
    turn: Turn,
    rev: u64,
    status: Status,
}

/// A refusal that holds only if all commits sent before it succeed.
struct Parked {
    /// How many must have settled.
    sent: u64,
    turn: Turn,
    verdict: Verdict,
}

/// Why the state cannot be built upon until the log has been read.
#[derive(Clone, Copy, PartialEq)]
enum Torn {
    /// The log goes on beyond it.
    Short,
    /// It holds something that is not in the log.
    Wrong,
}

/// Owns a canvas's state at the newest revision that is on its way to the store.
pub(super) struct Writer {
    common: Arc<Common>,
    history: Arc<History>,
    place: Place,
    loaded: Loaded,
    /// Why nothing can be done any more: the log cannot be read.
    dead: Option<Error>,
    torn: Option<Torn>,
    most_in_flight: usize,
    in_flight: InFlight<Ticket>,
    sent: u64,
    settled: u64,
    backlog: VecDeque<Turn>,
    parked: VecDeque<Parked>,
    again: Vec<Turn>,
    order: u64,
    recent: Recent,
    keeper: Keeper,
    /// What is counted into [`Common::bytes`].
    weight: usize,
}

impl Writer {
    pub(super) fn new(common: Arc<Common>, history: Arc<History>, place: Place) -> Self {
        let settings = &common.settings;
        let pipelined = history.store.capabilities().pipelined;
        Self {
            most_in_flight: if pipelined { settings.in_flight.max(1) } else { 1 },
            recent: Recent::new(settings.recent_commits, settings.recent_bytes),
            keeper: Keeper::new(settings.snapshot_bytes),
            loaded: Loaded::nothing(),
            dead: None,
            torn: Some(Torn::Wrong),
            in_flight: InFlight::new(),
            sent: 0,
            settled: 0,
            backlog: VecDeque::new(),
            parked: VecDeque::new(),
            again: Vec::new(),
            order: 0,
            weight: 0,
            common,
            history,
            place,
        }
    }

    /// Works until nobody can reach it any more and everything it took on is answered.
    pub(super) async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let (mut open, mut stays) = (true, true);
        let (mut burst, mut settled) = (Vec::with_capacity(BURST), Vec::new());
        loop {
            while self.torn.is_none() && self.in_flight.len() < self.most_in_flight {
                let Some(turn) = self.backlog.pop_front() else { break };
                self.take(turn).await;
            }
            if self.torn.is_some() && self.in_flight.is_empty() {
                self.mend().await;
                continue;
            }
            let idle = self.in_flight.is_empty() && self.backlog.is_empty();
            if idle && !open {
                return;
            }
            if idle && stays && (self.dead.is_some() || self.too_many_bytes()) {
                self.place.leave();
                stays = false;
            }
            select! {
                biased;
                () = self.in_flight.settled(&mut settled), if !self.in_flight.is_empty() => {
                    for (ticket, result) in settled.drain(..) {
                        self.settle(ticket, result);
                    }
                    self.release();
                }
                count = jobs.recv_many(&mut burst, BURST), if open && self.backlog.is_empty() => {
                    open = count > 0;
                    for job in burst.drain(..) {
                        self.backlog.push_back(Turn { order: self.order, attempts: 0, job });
                        self.order += 1;
                    }
                }
                () = sleep(self.common.settings.idle()), if idle && stays => {
                    self.place.leave();
                    stays = false;
                }
            }
        }
    }

    /// Reads what is missing, or everything, from the log; then whoever was built upon what is not there is decided anew.
    async fn mend(&mut self) {
        let torn = self.torn.take();
        self.recent.clear();
        if self.dead.is_none() {
            let mended = match torn {
                Some(Torn::Wrong) => self.load().await,
                _ => self.catch_up().await,
            };
            if let Err(error) = mended {
                self.give_up(error);
            }
        }
        self.again.sort_unstable_by_key(|turn| turn.order);
        for turn in self.again.drain(..).rev() {
            self.backlog.push_front(turn);
        }
    }

    async fn load(&mut self) -> Result<()> {
        self.keeper.drop_due();
        // The lost state goes before the next one comes: two of them may be too much.
        self.loaded = Loaded::nothing();
        let head = self.history.head().await?;
        self.loaded = self.history.state_at(head).await?;
        Ok(())
    }

    async fn catch_up(&mut self) -> Result<()> {
        let head = self.history.head().await?;
        self.history.advance(&mut self.loaded, head).await
    }

    fn give_up(&mut self, error: Error) {
        self.torn = None;
        self.dead = Some(error);
        self.loaded = Loaded::nothing();
    }

    /// Decides about one command: sends it on its way, or says why not.
    async fn take(&mut self, turn: Turn) {
        let Job { work, clear_to, at_least, reply } = &turn.job;
        if reply.is_closed() {
            return; // Nobody waits for it any more, and nothing has come of it yet.
        }
        if let Some(error) = &self.dead {
            let error = again(error);
            return turn.say(Verdict::Failed(error));
        }
        let (head, work) = (self.loaded.rev, Arc::clone(work));
        if *at_least > head {
            self.torn = Some(Torn::Short);
            self.again.push(turn);
            return;
        }
        let status = if work.base_rev == head {
            Status::Applied
        } else if work.may_rebase(head) && (*clear_to == head || self.recent.untouched_since(*clear_to, &work)) {
            Status::Rebased
        } else {
            return self.park(turn, Verdict::Behind);
        };
        match self.apply(&work) {
            Ok(()) => self.send(turn, &work, status).await,
            Err(refusal) => self.park(turn, refusal),
        }
    }

    fn apply(&mut self, work: &Work) -> Result<(), Verdict> {
        let reducer = &*self.history.reducer;
        let (state, limits) = (&mut self.loaded.state, &self.common.command_limits);
        // A reducer that panics leaves the state as it was, and the writer to everybody else.
        let applied = catch_unwind(AssertUnwindSafe(|| apply_batch(reducer, state, &work.ops, limits)));
        match applied {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(Verdict::Invalid(error)),
            Err(_) => Err(Verdict::Failed(Error::internal("canvas.reduce", "the reducer panicked"))),
        }
    }

    async fn send(&mut self, turn: Turn, work: &Arc<Work>, status: Status) {
        let head = self.loaded.rev;
        let rev = head + 1;
        let batch = match self.batch(work, status, head) {
            Ok(batch) => batch,
            Err(error) => {
                // The state holds what will not be in the log.
                self.torn = Some(Torn::Wrong);
                return turn.say(Verdict::Failed(error));
            }
        };
        self.loaded.rev = rev;
        self.loaded.tail_bytes += work.ops_json.get().len();
        self.recent.push(rev, Arc::clone(work));
        self.keeper.look(&mut self.loaded);
        self.sent += 1;
        let history = Arc::clone(&self.history);
        let commit = Box::pin(async move { history.store.commit(&history.scope, batch).await });
        self.in_flight.start(Ticket { turn, rev, status }, commit).await;
    }

    fn batch(&self, work: &Work, status: Status, head: u64) -> Result<Batch> {
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
        if let Some(once) = &work.once {
            let mut once = once.clone();
            once.note = status.as_str().to_owned();
            batch = batch.once(once);
        }
        let key = self.history.key.clone();
        Ok(batch.append(key, ExpectedHead::Seq(Seq(head)), vec![event]).audit(work.audit.clone()))
    }

    /// One commit has settled: its caller learns what came of it, and of nothing else.
    fn settle(&mut self, ticket: Ticket, result: Result<Receipt, CommitError>) {
        self.settled += 1;
        let Ticket { turn, rev, status } = ticket;
        let lost = match result {
            Ok(receipt) => {
                let lost = receipt.replayed;
                if !lost && self.torn != Some(Torn::Wrong) {
                    self.keeper.durable(rev, &self.history, &self.common);
                }
                turn.say(done(&receipt, status));
                lost
            }
            Err(CommitError::Precondition { .. }) => {
                self.decide_anew(turn);
                true
            }
            Err(error) => {
                turn.say(Verdict::Failed(error.into()));
                true
            }
        };
        if lost {
            self.torn = Some(Torn::Wrong);
            for parked in std::mem::take(&mut self.parked) {
                self.decide_anew(parked.turn);
            }
        }
    }

    fn decide_anew(&mut self, mut turn: Turn) {
        turn.attempts += 1;
        if turn.attempts > ATTEMPTS {
            turn.say(Verdict::Behind);
        } else {
            self.again.push(turn);
        }
    }

    /// Keeps a refusal until all commits it was made upon have settled.
    fn park(&mut self, turn: Turn, verdict: Verdict) {
        self.parked.push_back(Parked { sent: self.sent, turn, verdict });
        self.release();
    }

    fn release(&mut self) {
        while self.parked.front().is_some_and(|parked| parked.sent <= self.settled) {
            if let Some(parked) = self.parked.pop_front() {
                parked.turn.say(parked.verdict);
            }
        }
    }

    /// Whether all writers together hold too much; counts this one's state first.
    fn too_many_bytes(&mut self) -> bool {
        let weight = self.loaded.state.size() + self.recent.bytes();
        let bytes = &self.common.bytes;
        bytes.fetch_sub(self.weight, Ordering::Relaxed);
        let others = bytes.fetch_add(weight, Ordering::Relaxed);
        self.weight = weight;
        others.saturating_add(weight) > self.common.settings.busy_bytes
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.common.bytes.fetch_sub(self.weight, Ordering::Relaxed);
    }
}

impl Turn {
    fn say(self, verdict: Verdict) {
        // Whoever does not wait any more has no use for it.
        let _ = self.job.reply.send(verdict);
    }
}

/// What a receipt says: the first answer, if it is an old one.
fn done(receipt: &Receipt, status: Status) -> Verdict {
    let Some(appended) = receipt.appended.first() else {
        return Verdict::Failed(Error::internal("canvas.command", "the store's receipt names no append"));
    };
    let status = if receipt.replayed { Status::from_note(&receipt.note) } else { status };
    Verdict::Done { rev: appended.last.0, event_id: appended.event_id, status, replayed: receipt.replayed }
}

/// The same error for one more caller; its cause has been told once.
fn again(error: &Error) -> Error {
    let copy = Error::new(error.code(), error.operation(), error.detail().to_owned());
    match error.retry_after_hint() {
        Some(wait) => copy.retry_after(wait),
        None => copy,
    }
}
