//! The outbox at work.

use engines_storage::outbox::{Outbox, OutboxHandle, OutboxStatus};
use tokio::{sync::Mutex, task::JoinHandle};

/// An outbox and the task that runs it.
#[derive(Debug)]
pub(crate) struct OutboxTask {
    handle: OutboxHandle,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl OutboxTask {
    /// Starts it on the current tokio runtime.
    pub(crate) fn start(outbox: Outbox) -> Self {
        let handle = outbox.handle();
        Self { handle, task: Mutex::new(Some(tokio::spawn(outbox.run()))) }
    }

    /// What wakes it.
    pub(crate) fn handle(&self) -> OutboxHandle {
        self.handle.clone()
    }

    /// How each sink is doing.
    pub(crate) fn status(&self) -> Vec<OutboxStatus> {
        self.handle.status()
    }

    /// Stops it, and waits until what is in hand is done.
    pub(crate) async fn stop(&self) {
        self.handle.stop();
        if let Some(task) = self.task.lock().await.take() {
            // An error means that it panicked: it has stopped all the same.
            let _ = task.await;
        }
    }
}

impl Drop for OutboxTask {
    fn drop(&mut self) {
        self.handle.stop();
    }
}
