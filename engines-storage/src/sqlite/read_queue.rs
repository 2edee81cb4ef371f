//! The reads that wait for a reader thread.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use rusqlite::Connection;

use super::error::SqliteFailure;

/// A read. It gets the connection, or the reason why there is none, and returns whether to open a new connection.
pub(super) type ReadTask = Box<dyn FnOnce(Result<&Connection, SqliteFailure>) -> bool + Send>;

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
pub(super) enum NextTask {
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
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Adds a task at the end. The error is the reason for a rejection; `None` when the store is closed.
    pub(super) fn push(&self, task: ReadTask) -> Result<(), Option<SqliteFailure>> {
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

    /// Waits for the next task. A thread with a connection is told to close it while reads are rejected.
    pub(super) fn next_task(&self, connected: bool) -> NextTask {
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
