//! A consistent cut: a read transaction on a connection of its own, held by a thread until it is dropped or its time is over.

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
        Page, Paged,
        archive::{Record, Section, Snapshot},
    },
};
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::name;
use crate::sqlite::{
    error::{Failure, closed},
    open,
    options::SqliteOptions,
    read,
    store::{Shared, Worker},
};

const OPERATION: &str = "sqlite.snapshot";

type Task = Box<dyn FnOnce(&Connection, Option<i64>) + Send>;

/// Time between two looks at whether the connection must be closed: for a recovery, or because the store is.
const POLL: Duration = Duration::from_millis(100);

/// A snapshot of one scope.
#[derive(Debug)]
pub(super) struct SqliteSnapshot {
    shared: Arc<Shared>,
    tasks: Mutex<mpsc::Sender<Task>>,
    longest: Duration,
}

impl SqliteSnapshot {
    /// Begins one: of what readers find, or of what is staged.
    pub(super) async fn begin(
        shared: &Arc<Shared>,
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
        Worker::spawn("sqlite-snapshot", move |_ended| {
            let env = if staged { name::staged_env(&scope) } else { scope.env().as_str().to_owned() };
            let opened = open::reader(&of_thread, &options).and_then(|connection| {
                let open = connection.get()?;
                open.execute_batch("BEGIN")?;
                // The first read is what the transaction begins with.
                let id = name::number(open, scope.tenant(), &env)?;
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
            Ok(Err(failure)) => Err(failure.error(OPERATION, shared.files.path())),
            Err(_) => Err(closed(OPERATION)),
        }
    }
}

fn serve(shared: &Shared, connection: &Connection, id: Option<i64>, tasks: &mpsc::Receiver<Task>, longest: Duration) {
    let begun = Instant::now();
    // As long as the transaction is open, the log of a busy file grows.
    while let Some(left) = longest.checked_sub(begun.elapsed())
        && !shared.reads.is_stopped()
    {
        match tasks.recv_timeout(left.min(POLL)) {
            Ok(task) => task(connection, id),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

#[async_trait]
impl Snapshot for SqliteSnapshot {
    async fn records(&self, section: Section, page: Page) -> Result<Paged<Record>> {
        let look = read::section(section, page)?;
        let (answer, answered) = oneshot::channel::<Result<Paged<Record>, Failure>>();
        let task: Task = Box::new(move |connection, id| drop(answer.send(look(connection, id))));
        let sent = self.tasks.lock().unwrap_or_else(PoisonError::into_inner).send(task);
        match (sent, answered.await) {
            (Ok(()), Ok(result)) => result.map_err(|failure| failure.error(OPERATION, self.shared.files.path())),
            _ => {
                let detail = format!(
                    "the snapshot has ended: it was held longer than {} s, or the store was closed or opened again; begin again",
                    self.longest.as_secs()
                );
                Err(Error::new(Code::BackendUnavailable, OPERATION, detail))
            }
        }
    }
}
