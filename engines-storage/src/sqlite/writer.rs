//! The writer: one thread, one connection. Whatever waits goes into one transaction, with one `fsync` for all.

use std::{
    path::PathBuf,
    sync::{Arc, PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};

use engines_core::nexus::CommitError;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::{
    apply::{Group, Refusal},
    checkpoint::{self, Checkpoints},
    clear,
    error::{Failure, unavailable},
    job::{Answer, Job},
    open,
    options::SqliteOptions,
    queue::{Gather, Next},
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
    connection: Option<Connection>,
    path: PathBuf,
    options: SqliteOptions,
    shared: Arc<Shared>,
    scopes: Scopes,
    checkpoints: Checkpoints,
    /// There may be rows of trimmed events.
    clearing: bool,
    /// Keys are on their way into their index.
    filing: bool,
    /// Batches in the last group, and how long its commit took.
    last_group: usize,
    last_commit: Duration,
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
            drop(jobs);
        }
        if let Some(ended) = self.ended.take() {
            let _ = ended.send(());
        }
    }
}

impl Writer {
    pub(super) fn new(
        connection: Connection,
        path: PathBuf,
        options: SqliteOptions,
        shared: Arc<Shared>,
        checkpoints: Checkpoints,
    ) -> Self {
        let scopes = Scopes::default();
        let (last_group, last_commit) = (0, Duration::ZERO);
        let mut writer = Self {
            connection: None,
            path,
            options,
            shared,
            scopes,
            checkpoints,
            clearing: true,
            filing: false,
            last_group,
            last_commit,
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
            if let Some(connection) = &self.connection {
                self.checkpoints.between_groups(connection);
                if self.clearing {
                    self.clearing = clear::clear(connection, &self.shared).unwrap_or_else(|failure| {
                        tracing::warn!(error = %failure, "trimmed events could not be removed; the next trim tries again");
                        false
                    });
                }
                self.filing = self.shared.once.settle(connection, self.options.recent_keys).unwrap_or_else(|failure| {
                    tracing::warn!(error = %failure, "keys could not be moved into their index; tried again after the next group");
                    false
                });
            }
        }
        if let Some(connection) = &self.connection
            && let Err(failure) = self.shared.once.settle_all(connection)
        {
            tracing::warn!(error = %failure, "keys could not be moved into their index; they are read at the next start");
        }
        if let Some(connection) = &self.connection
            && let Err(failure) = checkpoint::run(connection, "TRUNCATE")
        {
            tracing::warn!(error = %failure, "the log could not be moved to the data file; it is taken up at the next start");
        }
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
        match self.transact(&jobs) {
            Ok(answers) => answer(jobs, answers),
            // Something of one batch failed unexpectedly and all were rolled back: each for itself, so that only that one fails.
            Err(failure) if !failure.everywhere && jobs.len() > 1 => {
                tracing::warn!(error = %failure, batches = jobs.len(), "a group of batches failed; each is tried alone");
                for job in jobs {
                    let answers =
                        self.transact(std::slice::from_ref(&job)).unwrap_or_else(|failure| failed(failure, 1));
                    answer([job], answers);
                }
            }
            Err(failure) => {
                tracing::error!(error = %failure, batches = jobs.len(), "nothing could be written");
                let answers = failed(failure, jobs.len());
                answer(jobs, answers);
            }
        }
    }

    /// Runs these in one transaction. An error means that nothing of it is in the file, and in mind neither.
    fn transact(&mut self, jobs: &[Job]) -> Result<Vec<Answer>, Failure> {
        self.connect()?;
        let Some(connection) = &self.connection else { return Err(rusqlite::Error::InvalidQuery.into()) };
        let result = attempt(connection, &self.shared, &mut self.scopes, jobs);
        let result = result.map(|done| {
            self.clearing |= done.trimmed;
            self.last_commit = done.took;
            done.answers
        });
        if let Err(failure) = &result {
            if !connection.is_autocommit()
                && let Err(error) = connection.execute_batch("ROLLBACK")
            {
                tracing::warn!(error = %Failure::from(error), "a rollback failed; the data file is opened again");
                self.connection = None;
            }
            if failure.reopen {
                self.connection = None;
            }
            self.scopes.forget();
        }
        self.scopes.trim();
        result
    }

    /// Opens the file again if an error closed it.
    fn connect(&mut self) -> Result<(), Failure> {
        if self.connection.is_none() {
            let connection = open::writer(&self.path, &self.options)?;
            // After a failed `fsync` nobody can say what the file holds before it is read again.
            self.shared.heads.clear();
            self.shared.documents.clear();
            self.shared.once.load(&connection)?;
            self.adopt(connection);
        }
        Ok(())
    }

    fn adopt(&mut self, mut connection: Connection) {
        let log = self.checkpoints.log();
        let hook = move |_: &mut rusqlite::hooks::Wal, pages| {
            log.pages.store(usize::try_from(pages).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        };
        if let Err(error) = connection.wal_hook(Some(hook)) {
            tracing::warn!(error = %Failure::from(error), "the size of the log cannot be watched");
        }
        self.connection = Some(connection);
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

fn attempt(connection: &Connection, shared: &Shared, scopes: &mut Scopes, jobs: &[Job]) -> Result<Done, Failure> {
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let mut group = Group::new(connection, shared, scopes);
    let mut answers = Vec::with_capacity(jobs.len());
    for job in jobs {
        answers.push(match group.run(job) {
            Ok(receipt) => Ok(receipt),
            Err(Refusal::Answer(error)) => Err(error),
            Err(Refusal::Broken(failure)) => return Err(failure),
        });
    }
    group.flush()?;
    let (trimmed, begin) = (group.trimmed, Instant::now());
    let changes = {
        // What a reader finds in the file from here on, it finds in memory when it gets this lock: see `Shared::settled`.
        let _publishing = shared.publishing.lock().unwrap_or_else(PoisonError::into_inner);
        connection.prepare_cached("COMMIT")?.execute([])?;
        group.publish()
    };
    let took = begin.elapsed();
    for change in changes {
        shared.tell(change);
    }
    Ok(Done { answers, trimmed, took })
}

fn failed(failure: Failure, count: usize) -> Vec<Answer> {
    (0..count).map(|_| Err(CommitError::Backend(unavailable(OPERATION, failure)))).collect()
}

fn answer(jobs: impl IntoIterator<Item = Job>, answers: Vec<Answer>) {
    for (job, answer) in jobs.into_iter().zip(answers) {
        // Whoever has stopped waiting does not need it. The batch goes back with the answer, to be freed where it was made.
        let _ = job.answer.send((answer, job.steps));
    }
}
