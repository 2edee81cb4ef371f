//! The interface through which services publish ephemeral events.

use async_trait::async_trait;
use engines_core::{Result, Scope, StreamKey, stream::NewEvent};

/// Publishes gestures and presence: they are sent to the current subscribers and never stored.
#[async_trait]
pub trait EphemeralSink: Send + Sync {
    /// Sends `event` to the live subscribers of `key` on every node.
    ///
    /// # Errors
    /// `BACKEND_UNAVAILABLE` when the relay does not answer.
    async fn publish(&self, scope: &Scope, key: &StreamKey, event: NewEvent) -> Result<()>;
}
