//! What reaches other nodes fast and may be lost: gestures, presence, wake-ups.

use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::Stream;

use crate::{error::Result, scope::Scope, stream::StreamKey};

/// One message of the relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayMessage {
    /// The scope it was published in.
    pub scope: Scope,
    /// The stream it is about.
    pub key: StreamKey,
    /// Opaque to the relay.
    pub payload: Bytes,
}

/// Messages, as they come. It ends when the relay is closed.
pub type RelayStream = Pin<Box<dyn Stream<Item = RelayMessage> + Send>>;

/// Fast and lossy: in process by default, NATS or Redis between nodes.
#[async_trait]
pub trait Relay: Send + Sync + std::fmt::Debug {
    /// Sends to every subscriber of this stream, this process's own included, at most once.
    ///
    /// # Errors
    /// `BACKEND_UNAVAILABLE` when the broker does not answer.
    async fn publish(&self, message: RelayMessage) -> Result<()>;

    /// What is published from now on about this stream in this scope.
    ///
    /// # Errors
    /// `BACKEND_UNAVAILABLE` when the broker does not answer.
    async fn subscribe(&self, scope: &Scope, key: &StreamKey) -> Result<RelayStream>;
}
