//! The relay within one process.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use engines_core::{
    Result, Scope, StreamKey,
    nexus::{Relay, RelayMessage, RelayStream},
};
use futures_util::stream;
use tokio::sync::broadcast::{self, error::RecvError};

/// The most messages that a slow listener can be behind; past it, the oldest are dropped.
const CHANNEL_CAPACITY: usize = 256;

/// A relay within one process, for a single node. Listeners that fall behind miss the oldest messages.
#[derive(Debug, Clone, Default)]
pub struct LocalRelay {
    channels: Arc<Mutex<Channels>>,
}

type Channels = HashMap<(Scope, StreamKey), broadcast::Sender<RelayMessage>>;

impl LocalRelay {
    fn lock(&self) -> std::sync::MutexGuard<'_, Channels> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Relay for LocalRelay {
    async fn publish(&self, message: RelayMessage) -> Result<()> {
        let mut channels = self.lock();
        let place = (message.scope.clone(), message.key.clone());
        let gone = channels.get(&place).is_some_and(|channel| channel.send(message).is_err());
        if gone {
            channels.remove(&place);
        }
        Ok(())
    }

    async fn subscribe(&self, scope: &Scope, key: &StreamKey) -> Result<RelayStream> {
        let mut channels = self.lock();
        // Channels without listeners are removed by the next publication or here, so that they do not accumulate.
        channels.retain(|_, channel| channel.receiver_count() > 0);
        let channel =
            channels.entry((scope.clone(), key.clone())).or_insert_with(|| broadcast::channel(CHANNEL_CAPACITY).0);
        let receiver = channel.subscribe();
        Ok(Box::pin(stream::unfold(receiver, async |mut receiver| {
            loop {
                match receiver.recv().await {
                    Ok(message) => return Some((message, receiver)),
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return None,
                }
            }
        })))
    }
}
