//! The reader threads, each with its own connection, and their queue.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use engines_core::Result;
use rusqlite::Connection;
use tokio::sync::{Semaphore, oneshot};

use super::{
    connections::CountedConnection,
    error::{SqliteFailure, closed_error},
    opening,
    options::SqliteOptions,
    store::{StoreState, WorkerThread},
};

/// A read. It gets the connection, or the reason why there is none, and returns whether to open a new connection.
type ReadTask = Box<dyn FnOnce(Result<&Connection, SqliteFailure>) -> bool + Send>;

/// The reads that wait for a thread.
#[derive(Default)]
pub(super) struct ReadQueue {
    state: Mutex<ReadQueueState>,
    changed: Condvar,
}

#[derive(Default)]
struct ReadQueueState {
    tasks: VecDeque<ReadTask>,
    /// Why reads are rejected now. The threads have no connections then.
    suspended: Option<SqliteFailure>,
    closed: bool,
}

/// What a thread does next.
enum NextTask {
    Task(ReadTask),
    /// Close the connection, then ask again.
    CloseConnection,
    /// End, because the queue is closed and empty.
    End,
}

impl ReadQueue {
    /// Rejects all reads, including waiting ones, until [`ReadQueue::resume`], and makes every thread close its
    /// connection.
    pub(super) fn suspend(&self, why: SqliteFailure) {
        let mut state = self.lock();
        state.suspended = Some(why);
        let waiting = std::mem::take(&mut state.tasks);
        drop(state);
        self.changed.notify_all();
        for task in waiting {
            task(Err(why));
        }
    }

    /// Accepts reads again.
    pub(super) fn resume(&self) {
        self.lock().suspended = None;
    }

    /// Returns whether reads are rejected now.
    pub(super) fn is_stopped(&self) -> bool {
        let state = self.lock();
        state.closed || state.suspended.is_some()
    }

    /// Closes the queue. Waiting reads are still answered.
    fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Adds a task at the end. The error is the reason for a rejection; `None` when the store is closed.
    fn push(&self, task: ReadTask) -> Result<(), Option<SqliteFailure>> {
        let mut state = self.lock();
        if state.closed {
            return Err(None);
        }
        if let Some(why) = state.suspended {
            return Err(Some(why));
        }
        state.tasks.push_back(task);
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    fn next_task(&self, connected: bool) -> NextTask {
        let mut state = self.lock();
        loop {
            if let Some(task) = state.tasks.pop_front() {
                return NextTask::Task(task);
            }
            if state.closed {
                return NextTask::End;
            }
            if state.suspended.is_some() && connected {
                return NextTask::CloseConnection;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, ReadQueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for ReadQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ReadQueue")
    }
}

/// The pool of reader threads.
#[derive(Debug)]
pub(super) struct ReaderPool {
    queue_permits: Arc<Semaphore>,
    shared: Arc<StoreState>,
}

impl ReaderPool {
    /// Starts the threads.
    pub(super) fn start(
        options: &SqliteOptions,
        shared: &Arc<StoreState>,
    ) -> std::io::Result<(Self, Vec<WorkerThread>)> {
        let workers = (0..options.readers.max(1))
            .map(|_| {
                let (shared, options) = (Arc::clone(shared), options.clone());
                WorkerThread::spawn("sqlite-reader", move |ended| {
                    run_reader(&shared, &options);
                    let _ = ended.send(());
                })
            })
            .collect::<std::io::Result<_>>()?;
        let room = Arc::new(Semaphore::new(options.read_queue.clamp(1, Semaphore::MAX_PERMITS)));
        Ok((Self { queue_permits: room, shared: Arc::clone(shared) }, workers))
    }

    /// Runs `read` on one of the threads.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        operation: &'static str,
        read: impl FnOnce(&Connection) -> Result<T, SqliteFailure> + Send + 'static,
    ) -> Result<T> {
        let permit = Arc::clone(&self.queue_permits).acquire_owned().await.map_err(|_| closed_error(operation))?;
        let (answer, answered) = oneshot::channel();
        let shared = Arc::clone(&self.shared);
        let task = move |connection: Result<&Connection, SqliteFailure>| {
            let _permit = permit;
            if answer.is_closed() {
                return false;
            }
            let result = connection.and_then(read);
            shared.wait_published();
            let reopen = result.as_ref().is_err_and(|failure| failure.needs_reopen);
            // An error means that the caller does not wait for the answer any more.
            let _ = answer.send(result);
            reopen
        };
        let failed = |failure: SqliteFailure| failure.into_error(operation, self.shared.files.path());
        self.shared.reads.push(Box::new(task)).map_err(|why| why.map_or_else(|| closed_error(operation), failed))?;
        match answered.await {
            Ok(result) => result.map_err(failed),
            Err(_) => Err(closed_error(operation)),
        }
    }

    /// Closes the queue. Waiting reads are still answered.
    pub(super) fn close(&self) {
        self.queue_permits.close();
        self.shared.reads.close();
    }
}

fn run_reader(shared: &Arc<StoreState>, options: &SqliteOptions) {
    let mut connection: Option<CountedConnection> = None;
    loop {
        let task = match shared.reads.next_task(connection.is_some()) {
            NextTask::Task(task) => task,
            NextTask::CloseConnection => {
                connection = None;
                continue;
            }
            NextTask::End => return,
        };
        // A read that panics is a defect and must not end the thread. Its caller finds the channel closed.
        let reopen = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| match &connection {
            Some(open) => task(open.get()),
            None => match opening::open_reader(shared, options) {
                Ok(opened) => task(connection.insert(opened).get()),
                Err(failure) => task(Err(failure)),
            },
        }));
        if reopen.unwrap_or(true) {
            connection = None;
        }
    }
}

impl WorkerThread {
    /// Starts a thread that sends a message when it ends.
    pub(super) fn spawn(name: &str, body: impl FnOnce(oneshot::Sender<()>) + Send + 'static) -> std::io::Result<Self> {
        let (ended, done) = oneshot::channel();
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || body(ended))?;
        Ok(Self { done, thread })
    }
}
