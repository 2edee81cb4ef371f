//! One set of streams, read from the log once for all of its subscribers.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use engines_core::{
    Cursor, Result, Scope, Store, StreamKey,
    stream::{CursorTemplate, Seq, StreamEvent},
};
use futures_util::StreamExt;
use tokio::{
    sync::{Notify, OnceCell},
    task::AbortHandle,
};

use super::{Frame, frame, handle::Inner, ring::Ring, wakers::Wakers};

/// Events read from the log at once.
pub(crate) const PAGE: usize = 256;
/// How long a pump waits after the store failed, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

pub(crate) struct Feed {
    hub: Weak<Inner>,
    scope: Scope,
    keys: Vec<StreamKey>,
    live: Option<StreamKey>,
    cursors: CursorTemplate,
    started: OnceCell<()>,
    ring: Mutex<Ring>,
    /// The ring's end, so that a subscriber can see without a lock that there is nothing new.
    end: AtomicU64,
    live_ring: Mutex<Ring>,
    live_end: AtomicU64,
    /// The head of each stream as the store announced it.
    announced: Vec<AtomicU64>,
    missed: AtomicBool,
    /// One of its streams was deleted: every subscription ends.
    deleted: AtomicBool,
    wake: Arc<Notify>,
    pub(crate) wakers: Wakers,
    tasks: Mutex<Vec<AbortHandle>>,
}

impl Feed {
    pub(crate) fn new(hub: &Arc<Inner>, scope: Scope, keys: Vec<StreamKey>, live: Option<StreamKey>) -> Self {
        Self {
            cursors: Cursor::template(hub.store.log_id(), &scope, &keys),
            hub: Arc::downgrade(hub),
            scope,
            live,
            started: OnceCell::new(),
            ring: Mutex::new(Ring::new(Vec::new(), 1, 0)),
            end: AtomicU64::new(0),
            live_ring: Mutex::new(Ring::new(Vec::new(), 1, 0)),
            live_end: AtomicU64::new(0),
            announced: keys.iter().map(|_| AtomicU64::new(0)).collect(),
            missed: AtomicBool::new(false),
            deleted: AtomicBool::new(false),
            wake: Arc::new(Notify::new()),
            wakers: Wakers::default(),
            tasks: Mutex::default(),
            keys,
        }
    }

    /// Finds the tails and starts the pump, once. A caller that is dropped half-way leaves it to the next.
    pub(crate) async fn start(self: &Arc<Self>, hub: &Inner) -> Result<()> {
        let start = async || {
            let mut heads = Vec::with_capacity(self.keys.len());
            for key in &self.keys {
                heads.push(self.look(&*hub.store, key).await?);
            }
            if let Some(live) = self.live.as_ref().filter(|live| !self.keys.contains(live)) {
                self.look(&*hub.store, live).await?;
            }
            let limits = &hub.limits;
            *self.lock_ring() = Ring::new(heads, limits.ring_events, limits.ring_bytes);
            *self.lock_live() = Ring::new(Vec::new(), limits.ephemeral_queue, limits.ring_bytes);
            let mut tasks = Vec::new();
            if let Some(key) = &self.live {
                let messages = hub.relay.subscribe(&self.scope, key).await?;
                tasks.push(tokio::spawn(listen(Arc::downgrade(self), messages)).abort_handle());
            }
            tasks.push(
                tokio::spawn(pump(Arc::downgrade(self), Arc::clone(&self.wake), Arc::clone(&hub.store))).abort_handle(),
            );
            self.lock_tasks().append(&mut tasks);
            // Whatever was announced before the pump ran.
            self.wake.notify_one();
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

    /// Where it hears what is live only.
    pub(crate) fn live(&self) -> Option<&StreamKey> {
        self.live.as_ref()
    }

    /// Every stream it is listed under.
    pub(crate) fn places(&self) -> impl Iterator<Item = (Scope, StreamKey)> {
        let live = self.live.iter().filter(|live| !self.keys.contains(live));
        self.keys.iter().chain(live).map(|key| (self.scope.clone(), key.clone()))
    }

    pub(crate) fn lock_ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn lock_live(&self) -> MutexGuard<'_, Ring> {
        self.live_ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_tasks(&self) -> MutexGuard<'_, Vec<AbortHandle>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the two rings end.
    pub(crate) fn ends(&self) -> (u64, u64) {
        (self.end.load(Ordering::Acquire), self.live_end.load(Ordering::Acquire))
    }

    pub(crate) fn wake(&self) {
        self.wakers.wake_all();
    }

    /// The store says that this stream has come so far.
    pub(crate) fn announce(&self, key: &StreamKey, head: Seq) {
        for (known, announced) in self.keys.iter().zip(&self.announced) {
            if known == key {
                announced.fetch_max(head.0, Ordering::AcqRel);
            }
        }
        self.wake.notify_one();
    }

    /// One of its streams was deleted.
    pub(crate) fn end_deleted(&self) {
        self.deleted.store(true, Ordering::Release);
        self.wakers.wake_all();
    }

    /// Whether one of its streams was deleted.
    pub(crate) fn is_deleted(&self) -> bool {
        self.deleted.load(Ordering::Acquire)
    }

    /// A stream's head; notes if it was deleted.
    async fn look(&self, store: &dyn Store, key: &StreamKey) -> Result<Seq> {
        let head = store.head(&self.scope, key).await?;
        if head.deleted {
            self.end_deleted();
        }
        Ok(head.seq)
    }

    /// Wake-ups were lost: the pump asks the store for the heads.
    pub(crate) fn look_again(&self) {
        self.missed.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    /// Encodes events of one stream for a reader at `at`, which moves on with them.
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

    /// Reads one stream on from the tail. Says whether there was anything.
    async fn advance(&self, store: &dyn Store, stream: usize) -> Result<bool> {
        let Some(key) = self.keys.get(stream) else { return Ok(false) };
        let mut at = self.lock_ring().tail().to_vec();
        let after = at.get(stream).copied().unwrap_or_default();
        let events = store.read(&self.scope, key, after, PAGE).await?;
        let Some(first) = events.first() else { return Ok(false) };
        if first.seq != after.next() {
            // Retention overtook us. Subscribers find themselves outside the ring, look at the log, and are told.
            if let Some(place) = at.get_mut(stream) {
                *place = Seq(first.seq.0.saturating_sub(1));
            }
            let mut ring = self.lock_ring();
            ring.restart(at);
            self.end.store(ring.end(), Ordering::Release);
            return Ok(true);
        }
        let frames = self.encode(stream, &events, &mut at)?;
        let mut ring = self.lock_ring();
        frames.into_iter().for_each(|frame| ring.push(frame));
        self.end.store(ring.end(), Ordering::Release);
        Ok(true)
    }

    /// Reads all streams up to what was announced.
    async fn drain(&self, store: &dyn Store) -> Result<()> {
        if self.missed.swap(false, Ordering::AcqRel) {
            for (key, announced) in self.keys.iter().zip(&self.announced) {
                match self.look(store, key).await {
                    Ok(seq) => _ = announced.fetch_max(seq.0, Ordering::AcqRel),
                    Err(error) => {
                        self.missed.store(true, Ordering::Release);
                        return Err(error);
                    }
                }
            }
        }
        loop {
            let mut more = false;
            for (stream, announced) in self.announced.iter().enumerate() {
                let tail = self.lock_ring().tail().get(stream).copied().unwrap_or_default();
                if tail.0 < announced.load(Ordering::Acquire) {
                    more |= self.advance(store, stream).await?;
                }
            }
            if !more {
                return Ok(());
            }
            self.wakers.wake_all();
            // Those who were woken go first: what comes meanwhile leaves with their next write.
            tokio::task::yield_now().await;
        }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        for task in self.lock_tasks().drain(..) {
            task.abort();
        }
        if let Some(hub) = self.hub.upgrade() {
            hub.forget(self.places());
        }
    }
}

async fn pump(feed: Weak<Feed>, wake: Arc<Notify>, store: Arc<dyn Store>) {
    let mut wait = RETRY.0;
    loop {
        wake.notified().await;
        let Some(feed) = feed.upgrade() else { return };
        match feed.drain(&*store).await {
            Ok(()) => wait = RETRY.0,
            Err(error) => {
                tracing::warn!(%error, scope = %feed.scope, "a stream could not be read; trying again");
                drop(feed);
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(RETRY.1);
                wake.notify_one();
            }
        }
    }
}

/// Takes what is live only from the relay.
async fn listen(feed: Weak<Feed>, mut messages: engines_core::nexus::RelayStream) {
    while let Some(message) = messages.next().await {
        let Some(feed) = feed.upgrade() else { return };
        let Some(frame) = frame::from_relay(&message.payload) else { continue };
        {
            let mut ring = feed.lock_live();
            ring.push(frame);
            feed.live_end.store(ring.end(), Ordering::Release);
        }
        feed.wakers.wake_all();
    }
}
