//! The hub service: opens subscriptions, publishes ephemeral events, closes.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use engines_core::{
    Cursor, Limits, Result, Scope, Store, StreamKey,
    nexus::{Relay, RelayMessage},
    stream::NewEvent,
};

use super::{
    feed_index::FeedIndex,
    frame,
    shared::{HubCounters, HubShared},
    subscribe_request::SubscribeRequest,
    subscription::Subscription,
};
use crate::ephemeral::EphemeralSink;

/// Delivers events to subscribers. Cheap to clone; clones share one hub. It needs a tokio runtime.
#[derive(Clone)]
pub struct Hub {
    feeds: Arc<FeedIndex>,
}

/// Counters of the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HubStats {
    /// Open subscriptions.
    pub subscribers: u64,
    /// Ephemeral events that were dropped for slow subscribers.
    pub dropped_ephemeral: u64,
    /// How often a subscriber fell out of the ring and read the log instead.
    pub fell_behind: u64,
}

impl Hub {
    /// Makes a hub of a store and a relay. It starts its dispatcher on the current tokio runtime.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, relay: Arc<dyn Relay>, limits: Arc<Limits>) -> Self {
        let (closed, counters) = (AtomicBool::new(false), HubCounters::default());
        Self { feeds: FeedIndex::start(HubShared { store, relay, limits, closed, counters }) }
    }

    /// Follows streams of one scope. The caller must have checked the permission, and that the streams exist.
    ///
    /// # Errors
    /// `CURSOR_INVALID` for a cursor of other streams; `BACKEND_UNAVAILABLE` when the store does not answer.
    pub async fn subscribe(&self, scope: &Scope, request: SubscribeRequest) -> Result<Subscription> {
        let feed = self.feeds.get_or_create(scope, &request.keys, request.ephemeral.as_ref()).await?;
        Subscription::open(Arc::clone(&self.feeds), feed, request).await
    }

    /// Ends every subscription; readers reconnect with their last cursor. New subscriptions are rejected.
    pub fn close(&self) {
        self.feeds.shared.closed.store(true, Ordering::Release);
        for feed in self.feeds.all() {
            feed.wake_all();
        }
    }

    /// The current counters.
    #[must_use]
    pub fn stats(&self) -> HubStats {
        let counters = &self.feeds.shared.counters;
        HubStats {
            subscribers: counters.subscribers.load(Ordering::Relaxed),
            dropped_ephemeral: counters.dropped_ephemeral.load(Ordering::Relaxed),
            fell_behind: counters.fell_behind.load(Ordering::Relaxed),
        }
    }

    /// The cursor of a position in one stream.
    #[must_use]
    pub fn cursor(&self, scope: &Scope, key: &StreamKey, seq: engines_core::stream::Seq) -> Cursor {
        Cursor::single(self.feeds.shared.store.log_id(), scope, key, seq)
    }
}

#[async_trait]
impl EphemeralSink for Hub {
    async fn publish(&self, scope: &Scope, key: &StreamKey, event: NewEvent) -> Result<()> {
        let payload = frame::relay_payload(scope, key, &event)?;
        self.feeds.shared.relay.publish(RelayMessage { scope: scope.clone(), key: key.clone(), payload }).await
    }
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
