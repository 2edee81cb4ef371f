//! The reader threads, each with its own connection.

use std::sync::Arc;

use engines_core::Result;
use rusqlite::Connection;
use tokio::sync::{Semaphore, oneshot};

use super::{
    connections::CountedConnection,
    error::{SqliteFailure, closed_error},
    opening,
    options::SqliteOptions,
    read_queue::NextTask,
    state::StoreState,
    worker_thread::WorkerThread,
};

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
