//! A subscription as server-sent events: the preamble, the events, keep-alive comments, and a final error if there is
//! one.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use engines_core::{Clock, Code, Limits, RequestContext, Timestamp};
use futures_util::Stream;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::{
    hub::Subscription,
    presence::PresenceGuard,
    sse_encoding::{KEEPALIVE, PREAMBLE, encode_error},
};

/// The bytes of one SSE connection, in chunks. The stream ends when the hub closes, after a failure, and when the
/// credential it was opened with expires; the client then reconnects with the last `id` it saw.
pub struct EventStream {
    subscription: Subscription,
    clock: Arc<dyn Clock>,
    expires_at: Option<Timestamp>,
    keepalive: std::time::Duration,
    timer: Pin<Box<Sleep>>,
    state: EventStreamState,
    _presence: Option<PresenceGuard>,
}

#[derive(PartialEq, Eq)]
enum EventStreamState {
    New,
    Open,
    Ended,
}

impl EventStream {
    /// Makes the stream of `subscription`. It needs a tokio runtime. The presence `here` ends with the stream.
    #[must_use]
    pub fn new(
        subscription: Subscription,
        context: &RequestContext,
        clock: Arc<dyn Clock>,
        limits: &Limits,
        here: Option<PresenceGuard>,
    ) -> Self {
        let keepalive = limits.sse_keepalive();
        let mut stream = Self {
            subscription,
            clock,
            expires_at: context.expires_at(),
            keepalive,
            timer: Box::pin(sleep_until(Instant::now())),
            state: EventStreamState::New,
            _presence: here,
        };
        stream.reset_timer();
        stream
    }

    /// Sets the timer for the next comment, or for the credential's expiry if that is sooner.
    fn reset_timer(&mut self) {
        let left = self.expires_at.map(|end| end.since(self.clock.now()));
        let wait = left.map_or(self.keepalive, |left| left.min(self.keepalive));
        self.timer.as_mut().reset(Instant::now() + wait);
    }

    fn finish(&mut self, last: Bytes) -> Poll<Option<Bytes>> {
        self.state = EventStreamState::Ended;
        Poll::Ready(Some(last))
    }
}

impl Stream for EventStream {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        match self.state {
            EventStreamState::New => {
                self.state = EventStreamState::Open;
                return Poll::Ready(Some(PREAMBLE));
            }
            EventStreamState::Ended => return Poll::Ready(None),
            EventStreamState::Open => {}
        }
        match self.subscription.poll_next(cx) {
            Poll::Ready(Some(Ok(frame))) => return Poll::Ready(Some(frame.sse().clone())),
            Poll::Ready(Some(Err(failure))) => return self.finish(encode_error(failure.code(), failure.detail())),
            Poll::Ready(None) => {
                self.state = EventStreamState::Ended;
                return Poll::Ready(None);
            }
            Poll::Pending => {}
        }
        if self.timer.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        if self.expires_at.is_some_and(|end| end <= self.clock.now()) {
            return self
                .finish(encode_error(Code::TokenExpired, "the credential has expired; reconnect with a new one"));
        }
        self.reset_timer();
        // The next call registers the new deadline: callers poll until they get Pending.
        Poll::Ready(Some(KEEPALIVE))
    }
}

impl std::fmt::Debug for EventStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventStream").field("subscription", &self.subscription).finish_non_exhaustive()
    }
}
