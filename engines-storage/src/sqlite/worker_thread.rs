//! Threads of a store.

use std::thread::{self, JoinHandle};

use tokio::sync::oneshot;

/// A thread and the channel that reports its end.
#[derive(Debug)]
pub(super) struct WorkerThread {
    pub(super) done: oneshot::Receiver<()>,
    pub(super) thread: JoinHandle<()>,
}

impl WorkerThread {
    /// Starts a thread that sends a message when it ends.
    pub(super) fn spawn(name: &str, body: impl FnOnce(oneshot::Sender<()>) + Send + 'static) -> std::io::Result<Self> {
        let (ended, done) = oneshot::channel();
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || body(ended))?;
        Ok(Self { done, thread })
    }
}
