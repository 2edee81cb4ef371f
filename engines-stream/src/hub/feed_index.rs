//! The feeds of a hub by stream, and the task that passes change notifications to them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use engines_core::{Result, Scope, StreamKey, nexus::StoreChange};
use futures_util::StreamExt;
use tokio::task::AbortHandle;

use super::{feed::HubFeed, shared::HubShared};

/// The feeds of a hub. A subscription keeps it alive, and with it the task that wakes the subscription's feed.
pub(super) struct FeedIndex {
    pub(super) shared: Arc<HubShared>,
    feeds: Mutex<FeedsByStream>,
    dispatcher: Mutex<Option<AbortHandle>>,
}

type FeedsByStream = HashMap<(Scope, StreamKey), Vec<Weak<HubFeed>>>;

impl FeedIndex {
    /// Makes an index without feeds, and starts its dispatcher on the current tokio runtime.
    pub(super) fn start(shared: HubShared) -> Arc<Self> {
        let changes = shared.store.changes();
        let index = Arc::new(Self { shared: Arc::new(shared), feeds: Mutex::default(), dispatcher: Mutex::new(None) });
        let task = tokio::spawn(dispatch_changes(Arc::downgrade(&index), changes));
        *index.dispatcher.lock().unwrap_or_else(PoisonError::into_inner) = Some(task.abort_handle());
        index
    }

    /// The feed of these streams, which is started if it is new.
    pub(super) async fn get_or_create(
        self: &Arc<Self>,
        scope: &Scope,
        keys: &[StreamKey],
        ephemeral: Option<&StreamKey>,
    ) -> Result<Arc<HubFeed>> {
        // Must outlive the lock below: dropping the last reference to a feed takes that lock.
        let mut candidates: Vec<Arc<HubFeed>> = Vec::new();
        let feed = {
            let mut feeds = self.lock();
            let same = |feed: &Arc<HubFeed>| feed.keys() == keys && feed.ephemeral_key() == ephemeral;
            let listed = keys.first().or(ephemeral).and_then(|key| feeds.get(&(scope.clone(), key.clone())));
            candidates.extend(listed.into_iter().flatten().filter_map(Weak::upgrade));
            candidates.iter().find(|feed| same(feed)).cloned().unwrap_or_else(|| {
                let index = Arc::downgrade(self);
                let remove = move |streams: Vec<(Scope, StreamKey)>| {
                    if let Some(index) = index.upgrade() {
                        index.remove_dropped(streams);
                    }
                };
                let log_id = self.shared.store.log_id();
                let feed = Arc::new(HubFeed::new(log_id, scope.clone(), keys.to_vec(), ephemeral.cloned(), remove));
                for stream in feed.listed_under() {
                    feeds.entry(stream).or_default().push(Arc::downgrade(&feed));
                }
                feed
            })
        };
        feed.start(&self.shared).await?;
        Ok(feed)
    }

    /// All feeds.
    pub(super) fn all(&self) -> Vec<Arc<HubFeed>> {
        self.lock().values().flatten().filter_map(Weak::upgrade).collect()
    }

    fn lock(&self) -> MutexGuard<'_, FeedsByStream> {
        self.feeds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes the registrations of feeds of these streams that were dropped.
    fn remove_dropped(&self, streams: Vec<(Scope, StreamKey)>) {
        let mut feeds = self.lock();
        for stream in streams {
            if let Some(list) = feeds.get_mut(&stream) {
                list.retain(|feed| feed.strong_count() > 0);
                if list.is_empty() {
                    feeds.remove(&stream);
                }
            }
        }
    }
}

impl Drop for FeedIndex {
    fn drop(&mut self) {
        if let Some(task) = self.dispatcher.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }
}

/// Passes the store's change notifications to the feeds they concern.
async fn dispatch_changes(index: Weak<FeedIndex>, mut changes: engines_core::nexus::StoreChanges) {
    while let Some(change) = changes.next().await {
        let Some(index) = index.upgrade() else { return };
        match change {
            StoreChange::Appended(heads) => {
                let mut awake = Vec::new();
                {
                    let feeds = index.lock();
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
                    let feeds = index.lock();
                    for stream in streams.iter() {
                        ended.extend(feeds.get(stream).into_iter().flatten().filter_map(Weak::upgrade));
                    }
                }
                // Outside of the lock: dropping the last reference to a feed takes it.
                for feed in ended {
                    feed.end_deleted();
                }
            }
            _ => {
                for feed in index.all() {
                    feed.reload_heads();
                }
            }
        }
    }
}
