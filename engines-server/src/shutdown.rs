//! The switch that stops the server. It is thrown once, and all tasks see it.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, time::sleep};

/// See [`Shutdown::hold`].
#[derive(Debug)]
pub(crate) struct DrainGuard(#[expect(dead_code, reason = "it counts while it lives")] watch::Receiver<bool>);

/// The switch that stops the server. It is cheap to clone, and clones share its state.
#[derive(Debug, Clone)]
pub struct Shutdown(Arc<watch::Sender<bool>>);

impl Shutdown {
    /// Creates a switch that has not been thrown.
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// Begins the shutdown.
    pub fn begin(&self) {
        self.0.send_replace(true);
    }

    /// Returns whether the shutdown has begun.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        *self.0.borrow()
    }

    /// Delays [`Shutdown::drained`] while the guard lives, for work that continues beside its connection.
    pub(crate) fn hold(&self) -> DrainGuard {
        DrainGuard(self.0.subscribe())
    }

    /// Waits until no task waits for the shutdown or delays it.
    pub(crate) async fn drained(&self) {
        self.0.closed().await;
    }

    /// Waits until the shutdown begins.
    pub async fn begun(&self) {
        // Waiting fails only when the sender is gone, and `self` holds it.
        let _ = self.0.subscribe().wait_for(|begun| *begun).await;
    }

    /// Waits until the shutdown begins, and `grace` longer.
    pub(crate) async fn begun_for(&self, grace: Duration) {
        self.begun().await;
        sleep(grace).await;
    }
}
