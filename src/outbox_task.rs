//! The task that runs the outbox.

use engines_storage::outbox::{Outbox, OutboxHandle, OutboxStatus};
use tokio::{sync::Mutex, task::JoinHandle};

/// An outbox and the task that runs it.
#[derive(Debug)]
pub(crate) struct OutboxTask {
    handle: OutboxHandle,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl OutboxTask {
    /// Starts the task on the current tokio runtime.
    pub(crate) fn start(outbox: Outbox) -> Self {
        let handle = outbox.handle();
        Self { handle, task: Mutex::new(Some(tokio::spawn(outbox.run()))) }
    }

    /// The handle that wakes the task.
    pub(crate) fn handle(&self) -> OutboxHandle {
        self.handle.clone()
    }

    /// The state of each sink.
    pub(crate) fn status(&self) -> Vec<OutboxStatus> {
        self.handle.status()
    }

    /// Stops the task, and waits until it has finished its current work.
    pub(crate) async fn stop(&self) {
        self.handle.stop();
        if let Some(task) = self.task.lock().await.take() {
            // An error means that the task panicked: it has stopped too.
            let _ = task.await;
        }
    }
}

impl Drop for OutboxTask {
    fn drop(&mut self) {
        self.handle.stop();
    }
}
