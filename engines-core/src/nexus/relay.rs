//! The relay: fast messages between nodes that may be lost (gestures, presence, wake-ups).

use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::Stream;

use crate::{error::Result, scope::Scope, stream::StreamKey};

/// One message of the relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayMessage {
    /// The scope the message was published in.
    pub scope: Scope,
    /// The stream the message is about.
    pub key: StreamKey,
    /// The content; opaque to the relay.
    pub payload: Bytes,
}

/// Messages in the order of their arrival. The stream ends when the relay is closed.
pub type RelayStream = Pin<Box<dyn Stream<Item = RelayMessage> + Send>>;

/// A fast and lossy message broker. The default works within one process; use NATS or Redis between nodes.
#[async_trait]
pub trait Relay: Send + Sync + std::fmt::Debug {
    /// Sends `message` to every subscriber of its stream, including those of this process, at most once.
    ///
    /// # Errors
    /// `BACKEND_UNAVAILABLE` when the broker does not answer.
    async fn publish(&self, message: RelayMessage) -> Result<()>;

    /// Subscribes to the messages about one stream in one scope that are published from now on.
    ///
    /// # Errors
    /// `BACKEND_UNAVAILABLE` when the broker does not answer.
    async fn subscribe(&self, scope: &Scope, key: &StreamKey) -> Result<RelayStream>;
}
