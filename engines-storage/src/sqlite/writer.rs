//! The writer: one thread with one connection. All waiting batches go into one transaction, with one `fsync` for all.

use std::{
    fs::File,
    path::Path,
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use engines_core::nexus::{CommitError, StoreChange};
use rusqlite::{Connection, config::DbConfig};
use tokio::sync::oneshot;

use super::{
    checkpoint::Checkpointer,
    checkpoint_pragma::run_checkpoint,
    connections::CountedConnection,
    error::{FailureKind, Refusal, SqliteFailure, closed_error},
    job::{BatchAnswer, BatchJob},
    opening,
    options::SqliteOptions,
    queue::{GatherLimits, NextGroup},
    recovery::{self, RecoveryRequirements},
    scopes::ScopeCache,
    state::StoreState,
    stream_cleanup,
    transaction::BatchTransaction,
};

const OPERATION: &str = "sqlite.commit";
/// Size of a group at which the writer gathers batches for the next one.
const GATHER_MIN_BATCHES: usize = 8;
/// Maximum time for which a group is gathered.
const MAX_GATHER_WAIT: Duration = Duration::from_millis(1);

/// The state of the writer's thread.
pub(super) struct WriterThread {
    connection: Option<CountedConnection>,
    options: SqliteOptions,
    shared: Arc<StoreState>,
    scopes: ScopeCache,
    checkpoints: Checkpointer,
    /// Whether there may be rows of trimmed events.
    has_trimmed_rows: bool,
    /// Whether a merge of keys into their index is in progress.
    has_unindexed_keys: bool,
    /// The disk fault that the store has to recover from.
    fault: Option<SqliteFailure>,
    /// The size of the last group, and how long its commit took.
    last_group: usize,
    last_commit: Duration,
    /// Keeps other processes out while this thread may write.
    _lock: Arc<File>,
}

/// Answers all waiting callers when the thread ends, also after a panic.
struct ExitGuard {
    shared: Arc<StoreState>,
    ended: Option<oneshot::Sender<()>>,
}

impl Drop for ExitGuard {
    fn drop(&mut self) {
        self.shared.queue.close();
        while let NextGroup::Run(jobs) =
            self.shared.queue.next_group(usize::MAX, usize::MAX, GatherLimits::default(), false)
        {
            for job in jobs {
                let _ = job.answer.send((Err(CommitError::Backend(closed_error(OPERATION))), job.writes));
            }
        }
        if let Some(ended) = self.ended.take() {
            let _ = ended.send(());
        }
    }
}

/// A transaction that failed.
#[derive(Clone, Copy)]
struct AbortedTransaction {
    failure: SqliteFailure,
    /// Whether `COMMIT` failed in a way that may have stored the transaction.
    outcome_unknown: bool,
}

impl<E: Into<SqliteFailure>> From<E> for AbortedTransaction {
    fn from(error: E) -> Self {
        Self { failure: error.into(), outcome_unknown: false }
    }
}

impl AbortedTransaction {
    fn into_answers(self, count: usize, path: &Path) -> Vec<BatchAnswer> {
        let answer = || match self.outcome_unknown {
            true => self.failure.into_outcome_unknown(OPERATION, path),
            false => self.failure.into_not_stored(OPERATION, path),
        };
        (0..count).map(|_| Err(answer())).collect()
    }
}

impl WriterThread {
    pub(super) fn new(
        connection: CountedConnection,
        options: SqliteOptions,
        shared: Arc<StoreState>,
        checkpoints: Checkpointer,
        lock: Arc<File>,
    ) -> Self {
        let scopes = ScopeCache::default();
        let (last_group, last_commit) = (0, Duration::ZERO);
        let mut writer = Self {
            connection: None,
            options,
            shared,
            scopes,
            checkpoints,
            has_trimmed_rows: true,
            has_unindexed_keys: false,
            fault: None,
            last_group,
            last_commit,
            _lock: lock,
        };
        writer.replace_connection(connection);
        writer
    }

    /// Runs until the queue is closed and empty.
    pub(super) fn run(mut self, ended: oneshot::Sender<()>) {
        let _ending = ExitGuard { shared: Arc::clone(&self.shared), ended: Some(ended) };
        loop {
            let busy = (self.has_trimmed_rows || self.has_unindexed_keys) && self.connection.is_some();
            let (batches, bytes) = (self.options.group_batches, self.options.group_bytes);
            match self.shared.queue.next_group(batches, bytes, self.gather_limits(), busy) {
                NextGroup::Run(jobs) => self.run_group(jobs),
                NextGroup::Idle => {}
                NextGroup::Closed => break,
            }
            if self.fault.is_none() && self.connection.is_some() {
                self.between_groups();
            }
            if let Some(fault) = self.fault.take() {
                self.recover(fault);
            }
        }
        self.close_orderly();
    }

    /// Maintenance between two groups: a part of the checkpoint, of the deletion of trimmed rows, and of the keys'
    /// index.
    fn between_groups(&mut self) {
        let Some(connection) = self.connection.as_ref().and_then(|connection| connection.get().ok()) else { return };
        let path = self.shared.files.path().display();
        let mut fault = self.checkpoints.between_groups(connection).err();
        // Nothing is written while a file was removed or replaced. The check costs four `stat` calls, and the group
        // before has just made one.
        let writes = self.has_trimmed_rows || self.has_unindexed_keys;
        let here = fault.is_none() && (!writes || self.shared.files.check().is_ok());
        if self.has_trimmed_rows && here {
            self.has_trimmed_rows = stream_cleanup::remove_trimmed_rows(connection, &self.shared).unwrap_or_else(|failure| {
                tracing::warn!(%path, error = %failure, "trimmed events could not be removed; the next trim tries again");
                fault = fault.or(failure.needs_reopen.then_some(failure));
                false
            });
        }
        if fault.is_none() && here {
            self.has_unindexed_keys = self.shared.idempotency.index_batch(connection, self.options.recent_keys).unwrap_or_else(|failure| {
                tracing::warn!(%path, error = %failure, "keys could not be merged into their index; tried again after the next group");
                fault = failure.needs_reopen.then_some(failure);
                false
            });
        }
        self.has_trimmed_rows &= here;
        self.has_unindexed_keys &= here;
        self.fault = fault;
    }

    /// Closes the files: moves the log to the data file, and has SQLite delete the log.
    fn close_orderly(&mut self) {
        let patience = self.options.close_timeout;
        // The thread may not have opened its connection yet, so counting the open connections is not enough.
        let _ = self.checkpoints.close_connection().recv_timeout(patience);
        if !self.shared.connections.wait_closed(usize::from(self.connection.is_some()), patience) {
            tracing::warn!(path = %self.shared.files.path().display(), "a read has not ended; the log may stay for the next start");
        }
        let Some(counted) = self.connection.take() else { return };
        if let Err(failure) = self.empty_log(&counted) {
            let path = self.shared.files.path().display();
            tracing::warn!(%path, error = %failure, "the log could not be moved to the data file; the next start recovers it");
        }
    }

    fn empty_log(&self, connection: &CountedConnection) -> Result<(), SqliteFailure> {
        let connection = connection.get()?;
        // When the log was removed, its content can still be moved to the data file through the open descriptors.
        // When the data file was removed, the log stays as it is, so that it matches the data file when that is put
        // back.
        self.shared.files.check_data()?;
        if self.shared.files.check().is_ok() {
            self.shared.idempotency.index_all(connection)?;
        }
        let moved = run_checkpoint(connection, "TRUNCATE")?;
        self.shared.files.check()?;
        if moved.moved_frames == moved.frames {
            // The log is empty: the checkpoint on close finds nothing to move, and then SQLite deletes the log.
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
        }
        Ok(())
    }

    /// Recovers from a disk fault: closes every connection, restores the data file from the log, and opens it again.
    /// See [`recovery`]. Returns when that is done, when the data file turns out to be damaged, or when the store is
    /// closed.
    fn recover(&mut self, fault: SqliteFailure) {
        let shared = Arc::clone(&self.shared);
        let path = shared.files.path();
        tracing::error!(
            path = %path.display(), error = %fault,
            "the disk failed; the store rejects all calls until it has read the log again from its beginning and copied it to the data file"
        );
        self.suspend(SqliteFailure::recovering());
        drop(self.checkpoints.close_connection());
        let wanted = RecoveryRequirements { min_frames: self.checkpoints.acknowledged_frames(), check_file: true };
        self.connection = None;
        self.scopes.clear();
        let mut wait = self.options.recovery_wait;
        let connection = loop {
            match self.reopen(wanted) {
                Ok(connection) => break connection,
                Err(failure) if failure.kind() == FailureKind::Damaged => {
                    tracing::error!(path = %path.display(), error = %failure, "the store cannot recover and rejects all calls; restore a backup");
                    shared.health.commit_ended(Some(failure));
                    self.suspend(failure);
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
        self.checkpoints.reset_after_recovery();
        self.replace_connection(connection);
        (self.has_trimmed_rows, self.has_unindexed_keys) = (true, false);
        shared.reads.resume();
        shared.queue.resume();
        shared.notify(StoreChange::Lagged);
        tracing::info!(path = %path.display(), "the store has recovered");
    }

    /// Rejects batches and reads, including waiting ones.
    fn suspend(&self, why: SqliteFailure) {
        self.shared.connections.refuse(why);
        let waiting = self.shared.queue.suspend(why);
        let answers = AbortedTransaction { failure: why, outcome_unknown: false }
            .into_answers(waiting.len(), self.shared.files.path());
        send_answers(waiting, answers);
        self.shared.reads.suspend(why);
        self.shared.heads.clear();
        self.shared.documents.clear();
    }

    /// Makes one attempt to restore the data file and to open it.
    fn reopen(&self, wanted: RecoveryRequirements) -> Result<CountedConnection, SqliteFailure> {
        let shared = &self.shared;
        shared.connections.refuse(SqliteFailure::recovering());
        if !shared.connections.wait_closed(0, self.options.recovery_wait_max) {
            return Err(SqliteFailure::still_open());
        }
        shared.files.forget();
        shared.files.check_data()?;
        recovery::recover_data_file(shared.files.path(), &self.options, wanted)?;
        shared.connections.allow();
        let connection = shared.connections.open(|| {
            let connection = opening::open_writer(shared.files.path(), &self.options)?;
            shared.idempotency.load(&connection)?;
            Ok(connection)
        })?;
        shared.files.remember().map_err(|error| SqliteFailure::io(&error))?;
        shared.files.check()?;
        Ok(connection)
    }

    /// Callers whose batches were answered together send their next batches one by one. Without a short wait, the
    /// first would get a commit of its own while the others wait for it. The wait halves the number of `fsync` calls,
    /// and costs at most a part of the time of one.
    fn gather_limits(&self) -> GatherLimits {
        match self.last_group >= GATHER_MIN_BATCHES {
            true => {
                GatherLimits { min_batches: self.last_group / 2, patience: (self.last_commit / 2).min(MAX_GATHER_WAIT) }
            }
            false => GatherLimits::default(),
        }
    }

    fn run_group(&mut self, mut jobs: Vec<BatchJob>) {
        jobs.retain(|job| !job.answer.is_closed());
        if jobs.is_empty() {
            return;
        }
        self.last_group = jobs.len();
        let ended = self.run_transaction(&jobs);
        self.shared.health.commit_ended(ended.as_ref().err().map(|aborted| aborted.failure));
        match ended {
            Ok(answers) => send_answers(jobs, answers),
            // One batch failed unexpectedly and all were rolled back. Each is run alone, so that only that one fails.
            Err(aborted) if !aborted.failure.is_backend_wide && !aborted.outcome_unknown && jobs.len() > 1 => {
                tracing::warn!(error = %aborted.failure, batches = jobs.len(), "a group of batches failed; each is tried alone");
                for job in jobs {
                    let answers = match self.fault {
                        None => self.run_transaction(std::slice::from_ref(&job)),
                        Some(_) => Err(SqliteFailure::recovering().into()),
                    };
                    let answers = answers.unwrap_or_else(|aborted| aborted.into_answers(1, self.shared.files.path()));
                    send_answers([job], answers);
                }
            }
            Err(aborted) => {
                let path = self.shared.files.path();
                tracing::error!(
                    path = %path.display(), error = %aborted.failure, batches = jobs.len(), stored = if aborted.outcome_unknown { "unknown" } else { "no" },
                    "a group of batches failed"
                );
                let answers = aborted.into_answers(jobs.len(), path);
                send_answers(jobs, answers);
            }
        }
    }

    /// Runs batches in one transaction. An error states whether the file may contain changes of it; the cache
    /// contains none.
    fn run_transaction(&mut self, jobs: &[BatchJob]) -> Result<Vec<BatchAnswer>, AbortedTransaction> {
        // The last moment to detect a removed file: what is committed to a file without a name is lost.
        self.shared.files.check()?;
        let Some(counted) = &self.connection else { return Err(SqliteFailure::recovering().into()) };
        let connection = counted.get()?;
        let result = try_transaction(connection, &self.shared, &mut self.scopes, jobs);
        if let Err(aborted) = &result {
            let mut broken = aborted.outcome_unknown || aborted.failure.needs_reopen;
            if !connection.is_autocommit()
                && let Err(error) = connection.execute_batch("ROLLBACK")
            {
                tracing::warn!(error = %SqliteFailure::from(error), "a rollback failed");
                broken = true;
            }
            if broken {
                self.fault = Some(aborted.failure);
            }
            self.scopes.clear();
        }
        self.scopes.shrink();
        let done = result?;
        self.has_trimmed_rows |= done.trimmed;
        self.last_commit = done.commit_time;
        Ok(done.answers)
    }

    fn replace_connection(&mut self, mut counted: CountedConnection) {
        let log = self.checkpoints.log();
        let hook = move |_: &mut rusqlite::hooks::Wal, pages| {
            log.note_pages(usize::try_from(pages).unwrap_or(0));
            Ok(())
        };
        let hooked = counted.get_mut().and_then(|connection| Ok(connection.wal_hook(Some(hook))?));
        if let Err(failure) = hooked {
            tracing::warn!(error = %failure, "the size of the log cannot be monitored");
        }
        self.connection = Some(counted);
    }
}

/// A committed transaction.
struct CommittedGroup {
    answers: Vec<BatchAnswer>,
    /// Whether rows of trimmed events are to be deleted.
    trimmed: bool,
    /// How long the commit took.
    commit_time: Duration,
}

fn try_transaction(
    connection: &Connection,
    shared: &StoreState,
    scopes: &mut ScopeCache,
    jobs: &[BatchJob],
) -> Result<CommittedGroup, AbortedTransaction> {
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let mut group = BatchTransaction::new(connection, shared, scopes);
    let mut answers = Vec::with_capacity(jobs.len());
    for job in jobs {
        answers.push(match group.run_batch(job) {
            Ok(receipt) => Ok(receipt),
            Err(Refusal::Rejected(error)) => Err(error),
            Err(Refusal::MustRollBack(failure)) => return Err(failure.into()),
        });
    }
    group.write_heads()?;
    let (trimmed, begin) = (group.has_trimmed, Instant::now());
    let changes = {
        // A reader that finds a value in the file from here on finds it in memory once it gets this lock: see
        // `StoreState::wait_published`.
        let _publishing = shared.publishing.lock().unwrap_or_else(PoisonError::into_inner);
        shared.health.commit_started();
        commit_transaction(connection)?;
        group.publish()
    };
    let took = begin.elapsed();
    for change in changes {
        shared.notify(change);
    }
    Ok(CommittedGroup { answers, trimmed, commit_time: took })
}

fn commit_transaction(connection: &Connection) -> Result<(), AbortedTransaction> {
    let mut commit = connection.prepare_cached("COMMIT")?;
    match commit.execute([]) {
        Ok(_) => Ok(()),
        Err(error) => {
            let failure = SqliteFailure::from(error);
            Err(AbortedTransaction { failure, outcome_unknown: !failure.stores_nothing() })
        }
    }
}

fn send_answers(jobs: impl IntoIterator<Item = BatchJob>, answers: Vec<BatchAnswer>) {
    for (job, answer) in jobs.into_iter().zip(answers) {
        // An error means that the caller does not wait for the answer any more. The batch is returned with the
        // answer, so that it is freed on the thread that allocated it.
        let _ = job.answer.send((answer, job.writes));
    }
}
