//! The hub service: subscribes, dispatches change notifications, closes.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use engines_core::{
    Cursor, Limits, Result, Scope, Store, StreamKey,
    nexus::{Relay, RelayMessage, StoreChange},
    stream::NewEvent,
};
use futures_util::StreamExt;
use tokio::task::AbortHandle;

use super::{
    feed::HubFeed,
    frame,
    subscription::{StartPosition, Subscription},
};
use crate::ephemeral::EphemeralSink;

/// Delivers events to subscribers. Cheap to clone; clones share one hub. It needs a tokio runtime.
#[derive(Clone)]
pub struct Hub {
    inner: Arc<HubInner>,
}

/// The streams and the start of a subscription.
#[derive(Debug, Clone)]
pub struct SubscribeRequest {
    /// The streams, all of one scope. Their order is the order of their positions in a cursor.
    pub keys: Vec<StreamKey>,
    /// A stream whose ephemeral events (gestures, presence) are delivered too.
    pub ephemeral: Option<StreamKey>,
    /// Where the subscription starts.
    pub start: StartPosition,
    /// The resource from which the state can be read when events were removed.
    pub snapshot_ref: Option<String>,
}

pub(crate) struct HubInner {
    pub(super) store: Arc<dyn Store>,
    pub(super) relay: Arc<dyn Relay>,
    pub(super) limits: Arc<Limits>,
    pub(super) feeds: Mutex<FeedIndex>,
    pub(super) closed: AtomicBool,
    pub(super) dispatcher: Mutex<Option<AbortHandle>>,
    pub(super) counters: HubCounters,
}

type FeedIndex = HashMap<(Scope, StreamKey), Vec<Weak<HubFeed>>>;

#[derive(Debug, Default)]
pub(super) struct HubCounters {
    pub(super) subscribers: AtomicU64,
    pub(super) dropped_ephemeral: AtomicU64,
    pub(super) fell_behind: AtomicU64,
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
        let inner = Arc::new(HubInner {
            store,
            relay,
            limits,
            feeds: Mutex::default(),
            closed: AtomicBool::new(false),
            dispatcher: Mutex::new(None),
            counters: HubCounters::default(),
        });
        let task = tokio::spawn(dispatch_changes(Arc::downgrade(&inner), inner.store.changes()));
        *inner.dispatcher.lock().unwrap_or_else(PoisonError::into_inner) = Some(task.abort_handle());
        Self { inner }
    }

    /// Follows streams of one scope. The caller must have checked the permission, and that the streams exist.
    ///
    /// # Errors
    /// `CURSOR_INVALID` for a cursor of other streams; `BACKEND_UNAVAILABLE` when the store does not answer.
    pub async fn subscribe(&self, scope: &Scope, follow: SubscribeRequest) -> Result<Subscription> {
        let feed = self.get_or_create_feed(scope, &follow.keys, follow.ephemeral.as_ref()).await?;
        Subscription::open(Arc::clone(&self.inner), feed, follow).await
    }

    /// Ends every subscription; readers reconnect with their last cursor. New subscriptions are rejected.
    pub fn close(&self) {
        self.inner.closed.store(true, Ordering::Release);
        for feed in self.inner.all_feeds() {
            feed.wake_all();
        }
    }

    /// The current counters.
    #[must_use]
    pub fn stats(&self) -> HubStats {
        let counters = &self.inner.counters;
        HubStats {
            subscribers: counters.subscribers.load(Ordering::Relaxed),
            dropped_ephemeral: counters.dropped_ephemeral.load(Ordering::Relaxed),
            fell_behind: counters.fell_behind.load(Ordering::Relaxed),
        }
    }

    /// The cursor of a position in one stream.
    #[must_use]
    pub fn cursor(&self, scope: &Scope, key: &StreamKey, seq: engines_core::stream::Seq) -> Cursor {
        Cursor::single(self.inner.store.log_id(), scope, key, seq)
    }

    async fn get_or_create_feed(
        &self,
        scope: &Scope,
        keys: &[StreamKey],
        live: Option<&StreamKey>,
    ) -> Result<Arc<HubFeed>> {
        // Must outlive the lock below: dropping the last reference to a feed takes that lock.
        let mut candidates: Vec<Arc<HubFeed>> = Vec::new();
        let feed = {
            let mut feeds = self.inner.lock_feeds();
            let same = |feed: &Arc<HubFeed>| feed.keys() == keys && feed.ephemeral_key() == live;
            let listed = keys.first().or(live).and_then(|key| feeds.get(&(scope.clone(), key.clone())));
            candidates.extend(listed.into_iter().flatten().filter_map(Weak::upgrade));
            candidates.iter().find(|feed| same(feed)).cloned().unwrap_or_else(|| {
                let feed = Arc::new(HubFeed::new(&self.inner, scope.clone(), keys.to_vec(), live.cloned()));
                for place in feed.listed_under() {
                    feeds.entry(place).or_default().push(Arc::downgrade(&feed));
                }
                feed
            })
        };
        feed.start(&self.inner).await?;
        Ok(feed)
    }
}

impl HubInner {
    fn lock_feeds(&self) -> std::sync::MutexGuard<'_, FeedIndex> {
        self.feeds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn all_feeds(&self) -> Vec<Arc<HubFeed>> {
        self.lock_feeds().values().flatten().filter_map(Weak::upgrade).collect()
    }

    /// Removes the registrations of a feed that was dropped.
    pub(super) fn remove_feed(&self, places: impl Iterator<Item = (Scope, StreamKey)>) {
        let mut feeds = self.lock_feeds();
        for place in places {
            if let Some(list) = feeds.get_mut(&place) {
                list.retain(|feed| feed.strong_count() > 0);
                if list.is_empty() {
                    feeds.remove(&place);
                }
            }
        }
    }
}

impl Drop for HubInner {
    fn drop(&mut self) {
        if let Some(task) = self.dispatcher.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }
}

/// Passes the store's change notifications to the feeds they concern.
async fn dispatch_changes(hub: Weak<HubInner>, mut changes: engines_core::nexus::StoreChanges) {
    while let Some(change) = changes.next().await {
        let Some(hub) = hub.upgrade() else { return };
        match change {
            StoreChange::Appended(heads) => {
                let mut awake = Vec::new();
                {
                    let feeds = hub.lock_feeds();
                    for (scope, key, head) in heads.iter() {
                        // One lookup key per change is the cost of a map with owned keys.
                        for feed in feeds.get(&(scope.clone(), key.clone())).into_iter().flatten() {
                            awake.extend(feed.upgrade().map(|feed| (feed, key.clone(), *head)));
                        }
                    }
                }
                for (feed, key, head) in awake {
                    feed.announce_head(&key, head);
                }
            }
            StoreChange::Deleted(streams) => {
                let mut ended = Vec::new();
                {
                    let feeds = hub.lock_feeds();
                    for place in streams.iter() {
                        ended.extend(feeds.get(place).into_iter().flatten().filter_map(Weak::upgrade));
                    }
                }
                // Outside of the lock: dropping the last reference to a feed takes it.
                for feed in ended {
                    feed.end_deleted();
                }
            }
            _ => {
                for feed in hub.all_feeds() {
                    feed.reload_heads();
                }
            }
        }
    }
}

#[async_trait]
impl EphemeralSink for Hub {
    async fn publish(&self, scope: &Scope, key: &StreamKey, event: NewEvent) -> Result<()> {
        let payload = frame::relay_payload(scope, key, &event)?;
        self.inner.relay.publish(RelayMessage { scope: scope.clone(), key: key.clone(), payload }).await
    }
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
