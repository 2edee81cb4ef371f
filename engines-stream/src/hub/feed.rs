//! Feeds: a set of streams that is read from the log once for all of its subscribers.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use engines_core::{
    Cursor, Result, Scope, Store, StreamKey,
    stream::{CursorTemplate, LogId, Seq, StreamEvent},
};
use futures_util::StreamExt;
use tokio::{
    sync::{Notify, OnceCell},
    task::AbortHandle,
};

use super::{
    frame::{self, Frame},
    ring::FrameRing,
    shared::HubShared,
    wakers::WakerSet,
};

/// Events read from the log at a time.
pub(crate) const EVENTS_PER_READ: usize = 256;
/// The first and the longest wait of a pump after the store failed.
const RETRY_WAIT: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// Called when a feed is dropped, with the streams it was registered for.
type DropCallback = Box<dyn Fn(Vec<(Scope, StreamKey)>) + Send + Sync>;

pub(crate) struct HubFeed {
    on_drop: DropCallback,
    scope: Scope,
    keys: Vec<StreamKey>,
    ephemeral_key: Option<StreamKey>,
    cursors: CursorTemplate,
    started: OnceCell<()>,
    ring: Mutex<FrameRing>,
    /// The ring's end, which a subscriber reads without a lock to see that there is nothing new.
    ring_end: AtomicU64,
    ephemeral_ring: Mutex<FrameRing>,
    ephemeral_ring_end: AtomicU64,
    /// The head of each stream as the store last announced it.
    announced_heads: Vec<AtomicU64>,
    heads_unknown: AtomicBool,
    /// A stream of the feed was deleted: every subscription ends.
    deleted: AtomicBool,
    pump_wake: Arc<Notify>,
    pub(crate) wakers: WakerSet,
    tasks: Mutex<Vec<AbortHandle>>,
}

impl HubFeed {
    pub(crate) fn new(
        log_id: LogId,
        scope: Scope,
        keys: Vec<StreamKey>,
        ephemeral_key: Option<StreamKey>,
        on_drop: impl Fn(Vec<(Scope, StreamKey)>) + Send + Sync + 'static,
    ) -> Self {
        Self {
            cursors: Cursor::template(log_id, &scope, &keys),
            on_drop: Box::new(on_drop),
            scope,
            ephemeral_key,
            started: OnceCell::new(),
            ring: Mutex::new(FrameRing::new(Vec::new(), 1, 0)),
            ring_end: AtomicU64::new(0),
            ephemeral_ring: Mutex::new(FrameRing::new(Vec::new(), 1, 0)),
            ephemeral_ring_end: AtomicU64::new(0),
            announced_heads: keys.iter().map(|_| AtomicU64::new(0)).collect(),
            heads_unknown: AtomicBool::new(false),
            deleted: AtomicBool::new(false),
            pump_wake: Arc::new(Notify::new()),
            wakers: WakerSet::default(),
            tasks: Mutex::default(),
            keys,
        }
    }

    /// Reads the streams' heads and starts the pump, once. If the caller is dropped half-way, the next one does it.
    pub(super) async fn start(self: &Arc<Self>, hub: &HubShared) -> Result<()> {
        let start = async || {
            let mut heads = Vec::with_capacity(self.keys.len());
            for key in &self.keys {
                heads.push(self.load_head(&*hub.store, key).await?);
            }
            if let Some(live) = self.ephemeral_key.as_ref().filter(|live| !self.keys.contains(live)) {
                self.load_head(&*hub.store, live).await?;
            }
            let limits = &hub.limits;
            *self.lock_ring() = FrameRing::new(heads, limits.ring_events, limits.ring_bytes);
            *self.lock_ephemeral() = FrameRing::new(Vec::new(), limits.ephemeral_queue, limits.ring_bytes);
            let mut tasks = Vec::new();
            if let Some(key) = &self.ephemeral_key {
                let messages = hub.relay.subscribe(&self.scope, key).await?;
                tasks.push(tokio::spawn(receive_ephemeral(Arc::downgrade(self), messages)).abort_handle());
            }
            tasks.push(
                tokio::spawn(pump(Arc::downgrade(self), Arc::clone(&self.pump_wake), Arc::clone(&hub.store)))
                    .abort_handle(),
            );
            self.lock_tasks().append(&mut tasks);
            // Covers heads that were announced before the pump ran.
            self.pump_wake.notify_one();
            Ok(())
        };
        self.started.get_or_try_init(start).await.copied()
    }

    pub(crate) fn scope(&self) -> &Scope {
        &self.scope
    }

    pub(crate) fn keys(&self) -> &[StreamKey] {
        &self.keys
    }

    /// The stream whose ephemeral events the feed receives.
    pub(crate) fn ephemeral_key(&self) -> Option<&StreamKey> {
        self.ephemeral_key.as_ref()
    }

    /// Every stream the feed is registered for.
    pub(crate) fn listed_under(&self) -> impl Iterator<Item = (Scope, StreamKey)> {
        let live = self.ephemeral_key.iter().filter(|live| !self.keys.contains(live));
        self.keys.iter().chain(live).map(|key| (self.scope.clone(), key.clone()))
    }

    pub(crate) fn lock_ring(&self) -> MutexGuard<'_, FrameRing> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn lock_ephemeral(&self) -> MutexGuard<'_, FrameRing> {
        self.ephemeral_ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_tasks(&self) -> MutexGuard<'_, Vec<AbortHandle>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The ends of the durable and of the ephemeral ring.
    pub(crate) fn ring_ends(&self) -> (u64, u64) {
        (self.ring_end.load(Ordering::Acquire), self.ephemeral_ring_end.load(Ordering::Acquire))
    }

    pub(crate) fn wake_all(&self) {
        self.wakers.wake_all();
    }

    /// Records the head of a stream that the store announced.
    pub(crate) fn announce_head(&self, key: &StreamKey, head: Seq) {
        for (known, announced) in self.keys.iter().zip(&self.announced_heads) {
            if known == key {
                announced.fetch_max(head.0, Ordering::AcqRel);
            }
        }
        self.pump_wake.notify_one();
    }

    /// Ends the feed because a stream of it was deleted.
    pub(crate) fn end_deleted(&self) {
        self.deleted.store(true, Ordering::Release);
        self.wakers.wake_all();
    }

    /// Whether a stream of the feed was deleted.
    pub(crate) fn is_deleted(&self) -> bool {
        self.deleted.load(Ordering::Acquire)
    }

    /// Reads a stream's head; records if the stream was deleted.
    async fn load_head(&self, store: &dyn Store, key: &StreamKey) -> Result<Seq> {
        let head = store.head(&self.scope, key).await?;
        if head.deleted {
            self.end_deleted();
        }
        Ok(head.seq)
    }

    /// To be called when change notifications were lost: the pump reads the heads from the store.
    pub(crate) fn reload_heads(&self) {
        self.heads_unknown.store(true, Ordering::Release);
        self.pump_wake.notify_one();
    }

    /// Encodes events of one stream for a reader whose positions are `at`, and advances these.
    pub(crate) fn encode(&self, stream: usize, events: &[StreamEvent], at: &mut [Seq]) -> Result<Vec<Frame>> {
        let Some(key) = self.keys.get(stream) else { return Ok(Vec::new()) };
        let mut frames = Vec::with_capacity(events.len());
        for event in events {
            if let Some(place) = at.get_mut(stream) {
                *place = event.seq;
            }
            frames.push(Frame::durable(stream, &self.scope, key, event, &self.cursors.at(at))?);
        }
        Ok(frames)
    }

    /// Reads one stream from its tail on. Returns whether there was an event.
    async fn read_stream(&self, store: &dyn Store, stream: usize) -> Result<bool> {
        let Some(key) = self.keys.get(stream) else { return Ok(false) };
        let mut at = self.lock_ring().tail_seqs().to_vec();
        let after = at.get(stream).copied().unwrap_or_default();
        let events = store.read(&self.scope, key, after, EVENTS_PER_READ).await?;
        let Some(first) = events.first() else { return Ok(false) };
        if first.seq != after.next() {
            // Retention removed the events after the tail. Subscribers then find themselves outside the ring, read the
            // log, and get a `REPLAY_MISS`.
            if let Some(place) = at.get_mut(stream) {
                *place = Seq(first.seq.0.saturating_sub(1));
            }
            let mut ring = self.lock_ring();
            ring.reset(at);
            self.ring_end.store(ring.end_index(), Ordering::Release);
            return Ok(true);
        }
        let frames = self.encode(stream, &events, &mut at)?;
        let mut ring = self.lock_ring();
        frames.into_iter().for_each(|frame| ring.push(frame));
        self.ring_end.store(ring.end_index(), Ordering::Release);
        Ok(true)
    }

    /// Reads all streams up to the announced heads.
    async fn read_announced(&self, store: &dyn Store) -> Result<()> {
        if self.heads_unknown.swap(false, Ordering::AcqRel) {
            for (key, announced) in self.keys.iter().zip(&self.announced_heads) {
                match self.load_head(store, key).await {
                    Ok(seq) => _ = announced.fetch_max(seq.0, Ordering::AcqRel),
                    Err(error) => {
                        self.heads_unknown.store(true, Ordering::Release);
                        return Err(error);
                    }
                }
            }
        }
        loop {
            let mut more = false;
            for (stream, announced) in self.announced_heads.iter().enumerate() {
                let tail = self.lock_ring().tail_seqs().get(stream).copied().unwrap_or_default();
                if tail.0 < announced.load(Ordering::Acquire) {
                    more |= self.read_stream(store, stream).await?;
                }
            }
            if !more {
                return Ok(());
            }
            self.wakers.wake_all();
            // Lets the woken subscribers run first: events that arrive meanwhile leave with their next write.
            tokio::task::yield_now().await;
        }
    }
}

impl Drop for HubFeed {
    fn drop(&mut self) {
        for task in self.lock_tasks().drain(..) {
            task.abort();
        }
        (self.on_drop)(self.listed_under().collect());
    }
}

async fn pump(feed: Weak<HubFeed>, wake: Arc<Notify>, store: Arc<dyn Store>) {
    let mut wait = RETRY_WAIT.0;
    loop {
        wake.notified().await;
        let Some(feed) = feed.upgrade() else { return };
        match feed.read_announced(&*store).await {
            Ok(()) => wait = RETRY_WAIT.0,
            Err(error) => {
                tracing::warn!(%error, scope = %feed.scope, "a stream could not be read; trying again");
                drop(feed);
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(RETRY_WAIT.1);
                wake.notify_one();
            }
        }
    }
}

/// Receives ephemeral events from the relay.
async fn receive_ephemeral(feed: Weak<HubFeed>, mut messages: engines_core::nexus::RelayStream) {
    while let Some(message) = messages.next().await {
        let Some(feed) = feed.upgrade() else { return };
        let Some(frame) = frame::from_relay(&message.payload) else { continue };
        {
            let mut ring = feed.lock_ephemeral();
            ring.push(frame);
            feed.ephemeral_ring_end.store(ring.end_index(), Ordering::Release);
        }
        feed.wakers.wake_all();
    }
}
