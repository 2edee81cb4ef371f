//! The writer: one thread, one connection. Whatever waits goes into one transaction, with one `fsync` for all.

use std::{
    fs::File,
    path::Path,
    sync::{Arc, PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};

use engines_core::nexus::{Change, CommitError};
use rusqlite::{Connection, config::DbConfig};
use tokio::sync::oneshot;

use super::{
    apply::{Group, Refusal},
    checkpoint::{self, Checkpoints},
    clear,
    connections::Counted,
    error::{Failure, FailureKind, closed},
    job::{Answer, Job},
    open,
    options::SqliteOptions,
    queue::{Gather, Next},
    recovery::{self, Wanted},
    scopes::Scopes,
    store::Shared,
};

const OPERATION: &str = "sqlite.commit";
/// Batches in a group from which on the next one is gathered.
const GATHER_FROM: usize = 8;
/// How long a group is gathered at the most.
const PATIENCE: Duration = Duration::from_millis(1);

/// The writer's own state.
pub(super) struct Writer {
    connection: Option<Counted>,
    options: SqliteOptions,
    shared: Arc<Shared>,
    scopes: Scopes,
    checkpoints: Checkpoints,
    /// There may be rows of trimmed events.
    clearing: bool,
    /// Keys are on their way into their index.
    filing: bool,
    /// The fault of the disk after which the store has to recover.
    fault: Option<Failure>,
    /// Batches in the last group, and how long its commit took.
    last_group: usize,
    last_commit: Duration,
    /// Keeps other processes out for as long as this thread may write.
    _lock: Arc<File>,
}

/// However the thread ends, nobody waits for it in vain.
struct Ending {
    shared: Arc<Shared>,
    ended: Option<oneshot::Sender<()>>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.shared.queue.close();
        while let Next::Group(jobs) = self.shared.queue.take(usize::MAX, usize::MAX, Gather::default(), false) {
            for job in jobs {
                let _ = job.answer.send((Err(CommitError::Backend(closed(OPERATION))), job.steps));
            }
        }
        if let Some(ended) = self.ended.take() {
            let _ = ended.send(());
        }
    }
}

/// A transaction that did not come to its end.
#[derive(Clone, Copy)]
struct Aborted {
    failure: Failure,
    /// `COMMIT` failed, and what it wrote may be found in the log later.
    unknown: bool,
}

impl<E: Into<Failure>> From<E> for Aborted {
    fn from(error: E) -> Self {
        Self { failure: error.into(), unknown: false }
    }
}

impl Aborted {
    fn answers(self, count: usize, path: &Path) -> Vec<Answer> {
        let answer = || match self.unknown {
            true => self.failure.unknown(OPERATION, path),
            false => self.failure.not_stored(OPERATION, path),
        };
        (0..count).map(|_| Err(answer())).collect()
    }
}

impl Writer {
    pub(super) fn new(
        connection: Counted,
        options: SqliteOptions,
        shared: Arc<Shared>,
        checkpoints: Checkpoints,
        lock: Arc<File>,
    ) -> Self {
        let scopes = Scopes::default();
        let (last_group, last_commit) = (0, Duration::ZERO);
        let mut writer = Self {
            connection: None,
            options,
            shared,
            scopes,
            checkpoints,
            clearing: true,
            filing: false,
            fault: None,
            last_group,
            last_commit,
            _lock: lock,
        };
        writer.adopt(connection);
        writer
    }

    /// Runs until the queue is closed and empty.
    pub(super) fn run(mut self, ended: oneshot::Sender<()>) {
        let _ending = Ending { shared: Arc::clone(&self.shared), ended: Some(ended) };
        loop {
            let busy = (self.clearing || self.filing) && self.connection.is_some();
            let (batches, bytes) = (self.options.group_batches, self.options.group_bytes);
            match self.shared.queue.take(batches, bytes, self.gather(), busy) {
                Next::Group(jobs) => self.group(jobs),
                Next::Idle => {}
                Next::Closed => break,
            }
            if self.fault.is_none() && self.connection.is_some() {
                self.between_groups();
            }
            if let Some(fault) = self.fault.take() {
                self.recover(fault);
            }
        }
        self.finish();
    }

    /// What is done when a group has been answered: a part of the checkpoint, of what is cleared, of the keys' index.
    fn between_groups(&mut self) {
        let Some(connection) = self.connection.as_ref().and_then(|connection| connection.get().ok()) else { return };
        let path = self.shared.files.path().display();
        let mut fault = self.checkpoints.between_groups(connection).err();
        // While a file is not where it was, nothing is written. The check costs four `stat`s, and the group before this has just made one.
        let writes = self.clearing || self.filing;
        let here = fault.is_none() && (!writes || self.shared.files.check().is_ok());
        if self.clearing && here {
            self.clearing = clear::clear(connection, &self.shared).unwrap_or_else(|failure| {
                tracing::warn!(%path, error = %failure, "trimmed events could not be removed; the next trim tries again");
                fault = fault.or(failure.reopen.then_some(failure));
                false
            });
        }
        if fault.is_none() && here {
            self.filing = self.shared.once.settle(connection, self.options.recent_keys).unwrap_or_else(|failure| {
                tracing::warn!(%path, error = %failure, "keys could not be moved into their index; tried again after the next group");
                fault = failure.reopen.then_some(failure);
                false
            });
        }
        self.clearing &= here;
        self.filing &= here;
        self.fault = fault;
    }

    /// The orderly end: moves the log into the data file, and has SQLite remove what is left of the log.
    fn finish(&mut self) {
        let patience = self.options.close_timeout;
        // The thread may not have opened its connection yet, so that counting the open ones is not enough.
        let _ = self.checkpoints.release().recv_timeout(patience);
        if !self.shared.connections.wait_closed(usize::from(self.connection.is_some()), patience) {
            tracing::warn!(path = %self.shared.files.path().display(), "a read has not ended; the log may stay for the next start");
        }
        let Some(counted) = self.connection.take() else { return };
        if let Err(failure) = self.move_all(&counted) {
            let path = self.shared.files.path().display();
            tracing::warn!(%path, error = %failure, "the log could not be moved to the data file; it is taken up at the next start");
        }
    }

    fn move_all(&self, connection: &Counted) -> Result<(), Failure> {
        let connection = connection.get()?;
        // The log may be gone, and what it held can still be moved to the data file through the open descriptors. When the data file
        // is gone, the log is left as it is, so that it fits the data file when that is put back.
        self.shared.files.check_data()?;
        if self.shared.files.check().is_ok() {
            self.shared.once.settle_all(connection)?;
        }
        let moved = checkpoint::run(connection, "TRUNCATE")?;
        self.shared.files.check()?;
        if moved.moved == moved.frames {
            // The log is empty. A checkpoint that finds nothing to move, and then the removal of the log.
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
        }
        Ok(())
    }

    /// After a fault of the disk: closes every connection, makes the data file whole again from the log, and opens it anew. See
    /// [`recovery`]. Returns when that is done, when the data file turned out to be damaged, or when the store is closed.
    fn recover(&mut self, fault: Failure) {
        let shared = Arc::clone(&self.shared);
        let path = shared.files.path();
        tracing::error!(
            path = %path.display(), error = %fault,
            "the disk failed; the store refuses everything until it has read the log again from its beginning and copied it into the data file"
        );
        self.refuse(Failure::recovering());
        drop(self.checkpoints.release());
        let wanted = Wanted { frames: self.checkpoints.acknowledged(), check: true };
        self.connection = None;
        self.scopes.forget();
        let mut wait = self.options.recovery_wait;
        let connection = loop {
            match self.reopen(wanted) {
                Ok(connection) => break connection,
                Err(failure) if failure.kind() == FailureKind::Damaged => {
                    tracing::error!(path = %path.display(), error = %failure, "the store stays closed");
                    shared.health.end(Some(failure));
                    self.refuse(failure);
                    return;
                }
                Err(failure) => {
                    tracing::error!(path = %path.display(), error = %failure, ?wait, "the store could not recover yet; it tries again");
                }
            }
            if shared.queue.wait_closed(wait) {
                return;
            }
            wait = (wait * 2).min(self.options.recovery_wait_max);
        };
        self.checkpoints.begin_anew();
        self.adopt(connection);
        (self.clearing, self.filing) = (true, false);
        shared.reads.resume();
        shared.queue.resume();
        shared.tell(Change::Missed);
        tracing::info!(path = %path.display(), "the store has recovered");
    }

    /// Refuses batches and reads, and those that wait too.
    fn refuse(&self, why: Failure) {
        self.shared.connections.refuse(why);
        let waiting = self.shared.queue.suspend(why);
        let answers = Aborted { failure: why, unknown: false }.answers(waiting.len(), self.shared.files.path());
        answer(waiting, answers);
        self.shared.reads.suspend(why);
        self.shared.heads.clear();
        self.shared.documents.clear();
    }

    /// One try to make the data file whole and to open it.
    fn reopen(&self, wanted: Wanted) -> Result<Counted, Failure> {
        let shared = &self.shared;
        shared.connections.refuse(Failure::recovering());
        if !shared.connections.wait_closed(0, self.options.recovery_wait_max) {
            return Err(Failure::still_open());
        }
        shared.files.forget();
        shared.files.check_data()?;
        recovery::replay(shared.files.path(), &self.options, wanted)?;
        shared.connections.allow();
        let connection = shared.connections.open(|| {
            let connection = open::writer(shared.files.path(), &self.options)?;
            shared.once.load(&connection)?;
            Ok(connection)
        })?;
        shared.files.remember().map_err(|error| Failure::io(&error))?;
        shared.files.check()?;
        Ok(connection)
    }

    /// Those who were answered together come back one by one. Without a moment's patience the first would get a commit to
    /// itself while the others wait for it: half as many `fsync`s, for at most a part of one's time.
    fn gather(&self) -> Gather {
        match self.last_group >= GATHER_FROM {
            true => Gather { batches: self.last_group / 2, patience: (self.last_commit / 2).min(PATIENCE) },
            false => Gather::default(),
        }
    }

    fn group(&mut self, mut jobs: Vec<Job>) {
        jobs.retain(|job| !job.answer.is_closed());
        if jobs.is_empty() {
            return;
        }
        self.last_group = jobs.len();
        let ended = self.transact(&jobs);
        self.shared.health.end(ended.as_ref().err().map(|aborted| aborted.failure));
        match ended {
            Ok(answers) => answer(jobs, answers),
            // Something of one batch failed unexpectedly and all were rolled back: each for itself, so that only that one fails.
            Err(aborted) if !aborted.failure.everywhere && !aborted.unknown && jobs.len() > 1 => {
                tracing::warn!(error = %aborted.failure, batches = jobs.len(), "a group of batches failed; each is tried alone");
                for job in jobs {
                    let answers = match self.fault {
                        None => self.transact(std::slice::from_ref(&job)),
                        Some(_) => Err(Failure::recovering().into()),
                    };
                    let answers = answers.unwrap_or_else(|aborted| aborted.answers(1, self.shared.files.path()));
                    answer([job], answers);
                }
            }
            Err(aborted) => {
                let path = self.shared.files.path();
                tracing::error!(
                    path = %path.display(), error = %aborted.failure, batches = jobs.len(), stored = if aborted.unknown { "unknown" } else { "no" },
                    "a group of batches failed"
                );
                let answers = aborted.answers(jobs.len(), path);
                answer(jobs, answers);
            }
        }
    }

    /// Runs these in one transaction. An error says whether something of it may be in the file; in mind nothing is.
    fn transact(&mut self, jobs: &[Job]) -> Result<Vec<Answer>, Aborted> {
        // The last moment to notice it: what is committed to a file without a name is lost.
        self.shared.files.check()?;
        let Some(counted) = &self.connection else { return Err(Failure::recovering().into()) };
        let connection = counted.get()?;
        let result = attempt(connection, &self.shared, &mut self.scopes, jobs);
        if let Err(aborted) = &result {
            let mut broken = aborted.unknown || aborted.failure.reopen;
            if !connection.is_autocommit()
                && let Err(error) = connection.execute_batch("ROLLBACK")
            {
                tracing::warn!(error = %Failure::from(error), "a rollback failed");
                broken = true;
            }
            if broken {
                self.fault = Some(aborted.failure);
            }
            self.scopes.forget();
        }
        self.scopes.trim();
        let done = result?;
        self.clearing |= done.trimmed;
        self.last_commit = done.took;
        Ok(done.answers)
    }

    fn adopt(&mut self, mut counted: Counted) {
        let log = self.checkpoints.log();
        let hook = move |_: &mut rusqlite::hooks::Wal, pages| {
            log.pages.store(usize::try_from(pages).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        };
        let hooked = counted.get_mut().and_then(|connection| Ok(connection.wal_hook(Some(hook))?));
        if let Err(failure) = hooked {
            tracing::warn!(error = %failure, "the size of the log cannot be watched");
        }
        self.connection = Some(counted);
    }
}

/// A transaction that is in the file.
struct Done {
    answers: Vec<Answer>,
    /// There is something to clear.
    trimmed: bool,
    /// How long the commit took.
    took: Duration,
}

fn attempt(connection: &Connection, shared: &Shared, scopes: &mut Scopes, jobs: &[Job]) -> Result<Done, Aborted> {
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let mut group = Group::new(connection, shared, scopes);
    let mut answers = Vec::with_capacity(jobs.len());
    for job in jobs {
        answers.push(match group.run(job) {
            Ok(receipt) => Ok(receipt),
            Err(Refusal::Answer(error)) => Err(error),
            Err(Refusal::Broken(failure)) => return Err(failure.into()),
        });
    }
    group.flush()?;
    let (trimmed, begin) = (group.trimmed, Instant::now());
    let changes = {
        // What a reader finds in the file from here on, it finds in memory when it gets this lock: see `Shared::settled`.
        let _publishing = shared.publishing.lock().unwrap_or_else(PoisonError::into_inner);
        shared.health.begin();
        commit(connection)?;
        group.publish()
    };
    let took = begin.elapsed();
    for change in changes {
        shared.tell(change);
    }
    Ok(Done { answers, trimmed, took })
}

fn commit(connection: &Connection) -> Result<(), Aborted> {
    let mut commit = connection.prepare_cached("COMMIT")?;
    match commit.execute([]) {
        Ok(_) => Ok(()),
        Err(error) => {
            let failure = Failure::from(error);
            Err(Aborted { failure, unknown: !failure.stores_nothing() })
        }
    }
}

fn answer(jobs: impl IntoIterator<Item = Job>, answers: Vec<Answer>) {
    for (job, answer) in jobs.into_iter().zip(answers) {
        // Whoever has stopped waiting does not need it. The batch goes back with the answer, to be freed where it was made.
        let _ = job.answer.send((answer, job.steps));
    }
}
