//! Subscriptions: a reader catches up from the log and then gets live events, without a gap between them.

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll, Waker},
    time::Duration,
};

use engines_core::{
    Code, Error, Result, StreamKey,
    nexus::StreamHead,
    stream::{ReplayMiss, ResumePoint, Seq, StreamPosition},
};

use super::{
    feed::{EVENTS_PER_READ, HubFeed},
    feed_index::FeedIndex,
    frame::{Frame, FrameKind},
    subscribe_request::{StartPosition, SubscribeRequest},
};

/// A subscription. It yields each durable event once and in order, and ephemeral events as long as the reader keeps up.
///
/// Cancel-safe: dropping the future of [`Subscription::next`] loses nothing.
pub struct Subscription {
    /// Keeps the hub's dispatcher running while the subscription is open.
    feeds: Arc<FeedIndex>,
    feed: Arc<HubFeed>,
    slot: usize,
    waker: Option<Waker>,
    /// The last position of each stream that was returned (or put into `ready`).
    positions: Vec<Seq>,
    state: ReadState,
    ephemeral_next: u64,
    ready: VecDeque<Frame>,
    snapshot_ref: Option<Box<str>>,
}

type CatchUpRead = Pin<Box<dyn Future<Output = Result<CatchUpPage>> + Send>>;

enum ReadState {
    /// Reads the ring from this index.
    Ring(u64),
    /// Reads the log.
    Log(CatchUpRead),
    Ended,
}

/// An encoded page of the log, and the reader's positions after it.
struct CatchUpPage {
    frames: Vec<Frame>,
    positions: Vec<Seq>,
}

impl Subscription {
    pub(super) async fn open(feeds: Arc<FeedIndex>, feed: Arc<HubFeed>, request: SubscribeRequest) -> Result<Self> {
        let hub = &*feeds.shared;
        if hub.closed.load(Ordering::Acquire) {
            return Err(Error::new(
                Code::ShuttingDown,
                "stream.subscribe",
                "this node is shutting down; reconnect to another",
            )
            .with_retry_after(Duration::from_secs(1)));
        }
        let mut heads = Vec::with_capacity(request.keys.len());
        for key in &request.keys {
            heads.push(hub.store.head(feed.scope(), key).await?);
        }
        if feed.is_deleted() || heads.iter().any(|head| head.deleted) {
            return Err(Error::not_found("stream.subscribe", "stream"));
        }
        let resume = match &request.start {
            StartPosition::After(cursor) => cursor.resume(hub.store.log_id(), feed.scope(), &request.keys)?,
            StartPosition::Beginning => {
                ResumePoint::From(stream_positions(&request.keys, &heads, |head| Seq(head.first.0.saturating_sub(1))))
            }
            StartPosition::Live => ResumePoint::From(stream_positions(&request.keys, &heads, |head| head.seq)),
        };
        let mut ready = VecDeque::new();
        let mut at: Vec<Seq> = heads.iter().map(|head| head.seq).collect();
        match resume {
            ResumePoint::OtherLog => {
                let head_seq = heads.first().map(|head| head.seq).unwrap_or_default();
                ready.push_back(replay_miss_frame(head_seq, request.snapshot_ref.as_deref())?);
            }
            ResumePoint::From(places) => {
                for ((place, at), head) in places.iter().zip(&mut at).zip(&heads) {
                    if is_trimmed(place.seq, *head) {
                        ready.push_back(replay_miss_frame(head.seq, request.snapshot_ref.as_deref())?);
                    } else {
                        *at = place.seq;
                    }
                }
            }
        }
        hub.counters.subscribers.fetch_add(1, Ordering::Relaxed);
        let slot = feed.wakers.reserve_slot();
        let live_next = feed.lock_ephemeral().end_index();
        let state = ReadState::Ring(feed.lock_ring().first_index());
        let mut subscription = Self {
            feeds,
            feed,
            slot,
            waker: None,
            positions: at,
            state,
            ephemeral_next: live_next,
            ready,
            snapshot_ref: request.snapshot_ref.map(Into::into),
        };
        if !subscription.feed.lock_ring().covers(&subscription.positions) {
            subscription.state = ReadState::Log(subscription.read_log_page());
        }
        Ok(subscription)
    }

    /// The streams of the subscription.
    #[must_use]
    pub fn keys(&self) -> &[StreamKey] {
        self.feed.keys()
    }

    /// The next event; `None` when the hub closes.
    ///
    /// # Errors
    /// When the log cannot be read. The subscription then ends, and the reader may resume with its last cursor.
    pub async fn next(&mut self) -> Option<Result<Frame>> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// As [`Subscription::next`], for manually written futures.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
        loop {
            if let Some(frame) = self.ready.pop_front().filter(|_| !self.feed.is_deleted()) {
                return Poll::Ready(Some(Ok(frame)));
            }
            match &mut self.state {
                ReadState::Ended => return Poll::Ready(None),
                _ if self.feeds.shared.closed.load(Ordering::Acquire) => {
                    self.state = ReadState::Ended;
                    return Poll::Ready(None);
                }
                _ if self.feed.is_deleted() => {
                    self.state = ReadState::Ended;
                    let key = self.feed.keys().first().or(self.feed.ephemeral_key());
                    return Poll::Ready(key.map(Frame::deleted));
                }
                ReadState::Log(page) => {
                    let Poll::Ready(page) = page.as_mut().poll(cx) else {
                        // Registered here too, so that closing wakes a reader that waits for the log.
                        if self.register_waker(cx) {
                            continue;
                        }
                        return Poll::Pending;
                    };
                    match page {
                        Ok(page) => self.finish_catch_up(page),
                        Err(error) => {
                            self.state = ReadState::Ended;
                            return Poll::Ready(Some(Err(error)));
                        }
                    }
                }
                ReadState::Ring(next) => {
                    let next = *next;
                    if self.feed.ring_ends() == (next, self.ephemeral_next) {
                        // Check again after registering: otherwise an event in between would not wake the task.
                        if self.register_waker(cx) {
                            continue;
                        }
                        return Poll::Pending;
                    }
                    self.take_from_ring(next);
                    self.take_ephemeral();
                }
            }
        }
    }

    /// Registers the task's waker; returns whether the registration changed.
    fn register_waker(&mut self, cx: &Context<'_>) -> bool {
        if self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            return false;
        }
        self.waker = Some(cx.waker().clone());
        self.feed.wakers.set_waker(self.slot, cx.waker().clone());
        true
    }

    /// Takes frames from the ring from `next` on, or falls back to the log.
    fn take_from_ring(&mut self, next: u64) {
        let ring = self.feed.lock_ring();
        let Some(frames) = ring.frames_from(next) else {
            drop(ring);
            self.feeds.shared.counters.fell_behind.fetch_add(1, Ordering::Relaxed);
            self.state = ReadState::Log(self.read_log_page());
            return;
        };
        for frame in frames {
            if let FrameKind::Durable { stream, seq } = frame.kind()
                && let Some(at) = self.positions.get_mut(stream)
                && *at < seq
            {
                *at = seq;
                self.ready.push_back(frame.clone());
            }
        }
        self.state = ReadState::Ring(ring.end_index());
    }

    /// Takes ephemeral events; those that were dropped from the ring are lost to this reader, and counted.
    fn take_ephemeral(&mut self) {
        if self.feed.ring_ends().1 == self.ephemeral_next {
            return;
        }
        let ring = self.feed.lock_ephemeral();
        let from = self.ephemeral_next.max(ring.first_index());
        self.feeds.shared.counters.dropped_ephemeral.fetch_add(from - self.ephemeral_next, Ordering::Relaxed);
        self.ready.extend(ring.frames_from(from).into_iter().flatten().cloned());
        self.ephemeral_next = ring.end_index();
    }

    fn finish_catch_up(&mut self, page: CatchUpPage) {
        self.positions = page.positions;
        self.ready.extend(page.frames);
        let ring = self.feed.lock_ring();
        if ring.covers(&self.positions) {
            self.state = ReadState::Ring(ring.first_index());
        } else {
            drop(ring);
            self.state = ReadState::Log(self.read_log_page());
        }
    }

    /// Reads the next page of the first stream in which this reader is behind the ring.
    fn read_log_page(&self) -> CatchUpRead {
        let (hub, feed, mut at) = (Arc::clone(&self.feeds.shared), Arc::clone(&self.feed), self.positions.clone());
        let snapshot_ref = self.snapshot_ref.clone();
        Box::pin(async move {
            let mut frames = Vec::new();
            for (stream, key) in feed.keys().iter().enumerate() {
                let Some(place) = at.get(stream).copied() else { continue };
                if feed.lock_ring().covers_stream(stream, place) {
                    continue;
                }
                let events = hub.store.read(feed.scope(), key, place, EVENTS_PER_READ).await?;
                if events.first().is_some_and(|event| event.seq == place.next()) {
                    frames = feed.encode(stream, &events, &mut at)?;
                    break;
                }
                let head = hub.store.head(feed.scope(), key).await?;
                frames.push(replay_miss_frame(head.seq, snapshot_ref.as_deref())?);
                if let Some(at) = at.get_mut(stream) {
                    *at = head.seq.max(place);
                }
                break;
            }
            Ok(CatchUpPage { frames, positions: at })
        })
    }
}

fn stream_positions(keys: &[StreamKey], heads: &[StreamHead], seq: impl Fn(&StreamHead) -> Seq) -> Vec<StreamPosition> {
    keys.iter().zip(heads).map(|(key, head)| StreamPosition { key: key.clone(), seq: seq(head) }).collect()
}

/// Whether the events after `place` are not (or no longer) in a log with this head.
fn is_trimmed(place: Seq, head: StreamHead) -> bool {
    place > head.seq || place.next() < head.first
}

fn replay_miss_frame(head_seq: Seq, snapshot_ref: Option<&str>) -> Result<Frame, Error> {
    Frame::replay_miss(&ReplayMiss { head_seq, snapshot_ref: snapshot_ref.map(str::to_owned) })
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.feed.wakers.release_slot(self.slot);
        self.feeds.shared.counters.subscribers.fetch_sub(1, Ordering::Relaxed);
    }
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscription")
            .field("keys", &self.feed.keys())
            .field("at", &self.positions)
            .finish_non_exhaustive()
    }
}
