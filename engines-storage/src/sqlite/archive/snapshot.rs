//! Consistent snapshots: a read transaction on its own connection. A thread holds it until the snapshot is dropped or
//! its time limit has passed.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use engines_core::{
    Code, Error, Result, Scope,
    nexus::{
        Page, PageRequest,
        archive::{ArchiveRecord, ScopeSnapshot, Section},
    },
};
use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::sqlite::{
    error::{SqliteFailure, closed_error},
    opening,
    options::SqliteOptions,
    queries, staged_name,
    state::StoreState,
    worker_thread::WorkerThread,
};

const OPERATION: &str = "sqlite.snapshot";

type SnapshotTask = Box<dyn FnOnce(&Connection, Option<i64>) + Send>;

/// Interval at which the thread checks whether the connection must be closed, for a recovery or because the store
/// closes.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// A snapshot of one scope.
#[derive(Debug)]
pub(in crate::sqlite) struct SqliteSnapshot {
    shared: Arc<StoreState>,
    tasks: Mutex<mpsc::Sender<SnapshotTask>>,
    longest: Duration,
}

impl SqliteSnapshot {
    /// Starts a snapshot of the scope's published or staged data.
    pub(in crate::sqlite) async fn begin(
        shared: &Arc<StoreState>,
        options: &SqliteOptions,
        scope: &Scope,
        staged: bool,
    ) -> Result<Self> {
        let (tasks, receiver) = mpsc::channel();
        let (begun, answer) = oneshot::channel();
        let longest = options.snapshot_time;
        let (scope, options) = (scope.clone(), options.clone());
        let (of_thread, of_snapshot) = (Arc::clone(shared), Arc::clone(shared));
        let failed = |error| Error::unavailable(OPERATION, error);
        WorkerThread::spawn("sqlite-snapshot", move |_ended| {
            let env = if staged { staged_name::staged_env(&scope) } else { scope.env().as_str().to_owned() };
            let opened = opening::open_reader(&of_thread, &options).and_then(|connection| {
                let open = connection.get()?;
                open.execute_batch("BEGIN")?;
                // The first read starts the transaction.
                let id = staged_name::scope_number(open, scope.tenant(), &env)?;
                Ok((connection, id))
            });
            match opened {
                Ok((connection, id)) => {
                    let _ = begun.send(Ok(()));
                    if let Ok(connection) = connection.get() {
                        serve(&of_thread, connection, id, &receiver, longest);
                    }
                }
                Err(failure) => drop(begun.send(Err(failure))),
            }
        })
        .map_err(failed)?;
        match answer.await {
            Ok(Ok(())) => Ok(Self { shared: of_snapshot, tasks: Mutex::new(tasks), longest }),
            Ok(Err(failure)) => Err(failure.into_error(OPERATION, shared.files.path())),
            Err(_) => Err(closed_error(OPERATION)),
        }
    }
}

fn serve(
    shared: &StoreState,
    connection: &Connection,
    id: Option<i64>,
    tasks: &mpsc::Receiver<SnapshotTask>,
    longest: Duration,
) {
    let begun = Instant::now();
    // While the transaction is open, the log of a busy file grows.
    while let Some(left) = longest.checked_sub(begun.elapsed())
        && !shared.reads.is_stopped()
    {
        match tasks.recv_timeout(left.min(POLL_INTERVAL)) {
            Ok(task) => task(connection, id),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

#[async_trait]
impl ScopeSnapshot for SqliteSnapshot {
    async fn records(&self, section: Section, page: PageRequest) -> Result<Page<ArchiveRecord>> {
        let look = queries::read_section(section, page)?;
        let (answer, answered) = oneshot::channel::<Result<Page<ArchiveRecord>, SqliteFailure>>();
        let task: SnapshotTask = Box::new(move |connection, id| drop(answer.send(look(connection, id))));
        let sent = self.tasks.lock().unwrap_or_else(PoisonError::into_inner).send(task);
        match (sent, answered.await) {
            (Ok(()), Ok(result)) => result.map_err(|failure| failure.into_error(OPERATION, self.shared.files.path())),
            _ => {
                let detail = format!(
                    "the snapshot has ended: it was held longer than {} s, or the store was closed or opened again; start again",
                    self.longest.as_secs()
                );
                Err(Error::new(Code::BackendUnavailable, OPERATION, detail))
            }
        }
    }
}
