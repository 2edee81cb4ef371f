//! The registry of the store's open connections, which lets a recovery close all of them.

use std::{
    collections::HashMap,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use rusqlite::{Connection, InterruptHandle};

use super::error::SqliteFailure;

/// Counts the open connections of one store.
#[derive(Debug, Default)]
pub(super) struct ConnectionRegistry {
    state: Mutex<RegistryState>,
    closed: Condvar,
}

#[derive(Default)]
struct RegistryState {
    next: u64,
    /// The connections that are open or being opened; `None` while a connection is being opened.
    open: HashMap<u64, Option<InterruptHandle>>,
    /// Why no connection may be opened now.
    refusal: Option<SqliteFailure>,
}

/// A connection that is registered until it is dropped.
#[derive(Debug)]
pub(super) struct CountedConnection {
    /// `None` only while the value is created or dropped: the connection is closed before it is unregistered.
    connection: Option<Connection>,
    id: u64,
    connections: Arc<ConnectionRegistry>,
}

impl ConnectionRegistry {
    /// Opens a connection and registers it. It is registered before it is opened, so that
    /// [`ConnectionRegistry::refuse`] and [`ConnectionRegistry::wait_closed`] miss no connection.
    pub(super) fn open(
        self: &Arc<Self>,
        open: impl FnOnce() -> Result<Connection, SqliteFailure>,
    ) -> Result<CountedConnection, SqliteFailure> {
        let id = {
            let mut state = self.lock();
            if let Some(why) = state.refusal {
                return Err(why);
            }
            state.next += 1;
            let id = state.next;
            state.open.insert(id, None);
            id
        };
        let mut counted = CountedConnection { connection: None, id, connections: Arc::clone(self) };
        let connection = open()?;
        self.lock().open.insert(id, Some(connection.get_interrupt_handle()));
        counted.connection = Some(connection);
        Ok(counted)
    }

    /// Refuses to open connections until [`ConnectionRegistry::allow`].
    pub(super) fn refuse(&self, why: SqliteFailure) {
        self.lock().refusal = Some(why);
    }

    /// Returns why no connection may be opened now. Open connections are to be closed then.
    pub(super) fn refusal(&self) -> Option<SqliteFailure> {
        self.lock().refusal
    }

    /// Allows connections to be opened again.
    pub(super) fn allow(&self) {
        self.lock().refusal = None;
    }

    /// Interrupts running statements and waits up to `patience` until at most `left` connections are open. Returns
    /// whether that is the case.
    pub(super) fn wait_closed(&self, left: usize, patience: Duration) -> bool {
        let begun = Instant::now();
        let mut state = self.lock();
        for handle in state.open.values().flatten() {
            handle.interrupt();
        }
        while state.open.len() > left {
            let Some(rest) = patience.checked_sub(begun.elapsed()) else { return false };
            state = self.closed.wait_timeout(state, rest).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, RegistryState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for RegistryState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let RegistryState { open, refusal: refused, .. } = self;
        f.debug_struct("State").field("open", &open.len()).field("refused", refused).finish_non_exhaustive()
    }
}

impl CountedConnection {
    /// Returns the connection.
    pub(super) fn get(&self) -> Result<&Connection, SqliteFailure> {
        self.connection.as_ref().ok_or_else(|| rusqlite::Error::InvalidQuery.into())
    }

    /// Returns the connection for calls that need `&mut`.
    pub(super) fn get_mut(&mut self) -> Result<&mut Connection, SqliteFailure> {
        self.connection.as_mut().ok_or_else(|| rusqlite::Error::InvalidQuery.into())
    }
}

impl Drop for CountedConnection {
    fn drop(&mut self) {
        drop(self.connection.take());
        self.connections.lock().open.remove(&self.id);
        self.connections.closed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory() -> Result<Connection, SqliteFailure> {
        Ok(Connection::open_in_memory()?)
    }

    #[test]
    fn wait_closed_waits_for_all_and_new_connections_are_refused() {
        let connections = Arc::new(ConnectionRegistry::default());
        let one = connections.open(memory).unwrap();
        let two = connections.open(memory).unwrap();
        assert!(connections.open(|| Err(SqliteFailure::recovering())).is_err());
        connections.refuse(SqliteFailure::recovering());
        assert!(connections.open(memory).is_err());
        assert!(!connections.wait_closed(1, Duration::from_millis(1)), "two are open");
        drop(two);
        assert!(connections.wait_closed(1, Duration::ZERO));
        let waiting = std::thread::spawn({
            let connections = Arc::clone(&connections);
            move || connections.wait_closed(0, Duration::from_secs(60))
        });
        drop(one);
        assert!(waiting.join().unwrap());
        connections.allow();
        assert!(connections.open(memory).is_ok());
    }

    #[test]
    fn a_running_statement_is_interrupted() {
        let connections = Arc::new(ConnectionRegistry::default());
        let counted = connections.open(memory).unwrap();
        let running = std::thread::spawn(move || {
            const ENDLESS: &str =
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
            let ended = counted.get().unwrap().query_row(ENDLESS, [], |row| row.get::<_, i64>(0));
            drop(counted);
            ended.is_err()
        });
        // The statement may not have started when it is interrupted, so the call is repeated until it has ended.
        while !connections.wait_closed(0, Duration::from_millis(10)) {}
        assert!(running.join().unwrap());
    }
}
