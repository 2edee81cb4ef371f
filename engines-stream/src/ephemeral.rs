//! Where services put what is live only.

use async_trait::async_trait;
use engines_core::{Result, Scope, StreamKey, stream::NewEvent};

/// Takes gestures and presence: shown to those who are there now, never stored.
#[async_trait]
pub trait EphemeralSink: Send + Sync {
    /// Shows `event` to the live subscribers of `key`, on every node.
    ///
    /// # Errors
    /// `BACKEND_UNAVAILABLE` when the relay does not answer.
    async fn publish(&self, scope: &Scope, key: &StreamKey, event: NewEvent) -> Result<()>;
}
