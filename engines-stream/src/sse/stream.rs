//! A subscription as server-sent events: the preamble, the events, a comment now and then, and an end with a reason.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use engines_core::{Clock, Code, Limits, RequestContext, Timestamp};
use futures_util::Stream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::encode::{KEEPALIVE, PREAMBLE, error};
use crate::{hub::Subscription, presence::Attendance};

/// What goes over one SSE connection, piece by piece. It ends when the hub closes, after a failure, and when the credential it was
/// opened with expires; the client then comes back with the last `id` it saw.
pub struct EventStream {
    subscription: Subscription,
    clock: Arc<dyn Clock>,
    expires_at: Option<Timestamp>,
    keepalive: std::time::Duration,
    timer: Pin<Box<Sleep>>,
    state: State,
    _here: Option<Attendance>,
}

#[derive(PartialEq, Eq)]
enum State {
    New,
    Open,
    Ended,
}

impl EventStream {
    /// Sends what `subscription` yields. Needs a tokio runtime. `here` ends with the stream.
    #[must_use]
    pub fn new(
        subscription: Subscription,
        context: &RequestContext,
        clock: Arc<dyn Clock>,
        limits: &Limits,
        here: Option<Attendance>,
    ) -> Self {
        let keepalive = limits.sse_keepalive();
        let mut stream = Self {
            subscription,
            clock,
            expires_at: context.expires_at(),
            keepalive,
            timer: Box::pin(sleep_until(Instant::now())),
            state: State::New,
            _here: here,
        };
        stream.rearm();
        stream
    }

    /// Sets the timer for the next comment, or for the end of the credential if that is sooner.
    fn rearm(&mut self) {
        let left = self.expires_at.map(|end| end.since(self.clock.now()));
        let wait = left.map_or(self.keepalive, |left| left.min(self.keepalive));
        self.timer.as_mut().reset(Instant::now() + wait);
    }

    fn end(&mut self, last: Bytes) -> Poll<Option<Bytes>> {
        self.state = State::Ended;
        Poll::Ready(Some(last))
    }
}

impl Stream for EventStream {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        match self.state {
            State::New => {
                self.state = State::Open;
                return Poll::Ready(Some(PREAMBLE));
            }
            State::Ended => return Poll::Ready(None),
            State::Open => {}
        }
        match self.subscription.poll_next(cx) {
            Poll::Ready(Some(Ok(frame))) => return Poll::Ready(Some(frame.sse().clone())),
            Poll::Ready(Some(Err(failure))) => return self.end(error(failure.code(), failure.detail())),
            Poll::Ready(None) => {
                self.state = State::Ended;
                return Poll::Ready(None);
            }
            Poll::Pending => {}
        }
        if self.timer.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        if self.expires_at.is_some_and(|end| end <= self.clock.now()) {
            return self.end(error(Code::TokenExpired, "the credential has expired; come back with a new one"));
        }
        self.rearm();
        // The new deadline is registered by the next call: whoever polls goes on until Pending.
        Poll::Ready(Some(KEEPALIVE))
    }
}

impl std::fmt::Debug for EventStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventStream").field("subscription", &self.subscription).finish_non_exhaustive()
    }
}
