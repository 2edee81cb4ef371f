//! The switch that stops the server: thrown once, seen by all.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, time::sleep};

/// See [`Shutdown::hold`].
#[derive(Debug)]
pub(crate) struct DrainGuard(#[expect(dead_code, reason = "it counts while it lives")] watch::Receiver<bool>);

/// Tells everybody that it is time to stop. Cheap to clone; clones are one switch.
#[derive(Debug, Clone)]
pub struct Shutdown(Arc<watch::Sender<bool>>);

impl Shutdown {
    /// A switch that has not been thrown.
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// Throws it.
    pub fn begin(&self) {
        self.0.send_replace(true);
    }

    /// Whether it has been thrown.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        *self.0.borrow()
    }

    /// Holds up [`Shutdown::drained`] as long as it lives: for work that goes on beside its connection.
    pub(crate) fn hold(&self) -> DrainGuard {
        DrainGuard(self.0.subscribe())
    }

    /// Waits until nobody waits for it or holds it up any more.
    pub(crate) async fn drained(&self) {
        self.0.closed().await;
    }

    /// Waits until it is thrown.
    pub async fn begun(&self) {
        // It fails only when the sender is gone, and `self` holds it.
        let _ = self.0.subscribe().wait_for(|begun| *begun).await;
    }

    /// Waits until it is thrown, and `grace` longer.
    pub(crate) async fn begun_for(&self, grace: Duration) {
        self.begun().await;
        sleep(grace).await;
    }
}
