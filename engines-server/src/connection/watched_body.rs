//! The body of an answer on its way out: its request is under way until it is dropped, and it says whether the client takes it.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use engines::Error;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use super::activity::Exchange;
use crate::body::Body;

/// Bytes of a frame at the most. hyper hands a whole frame to an HTTP/2 stream as soon as its window has one byte, and keeps
/// it until the client takes it.
const FRAME_BYTES: usize = 16 << 10;

/// How far an answer has got.
#[derive(Debug, Default)]
pub(super) struct Flow {
    /// Frames that were taken from the body.
    frames: AtomicUsize,
    /// The last frame has not been asked on from: it waits for the client.
    waits: AtomicBool,
}

impl Flow {
    /// How many frames were taken, if the last of them waits for the client.
    pub(super) fn waiting(&self) -> Option<usize> {
        self.waits.load(Ordering::Relaxed).then(|| self.frames.load(Ordering::Relaxed))
    }
}

/// The body of an answer.
pub(super) struct WatchedBody {
    body: Body,
    /// The rest of a frame that was too long for one.
    rest: Bytes,
    flow: Option<Arc<Flow>>,
    _exchange: Option<Exchange>,
}

impl WatchedBody {
    /// A body of HTTP/1: its frames go to one connection, whose writes have a deadline.
    pub(super) fn new(body: Body, exchange: Exchange) -> Self {
        Self { body, rest: Bytes::new(), flow: None, _exchange: Some(exchange) }
    }

    /// A body of an HTTP/2 stream. Says in `flow` how far it has got.
    pub(super) fn flowing(body: Body, flow: Arc<Flow>) -> Self {
        Self { body, rest: Bytes::new(), flow: Some(flow), _exchange: None }
    }

    /// The next frame, of at most [`FRAME_BYTES`].
    fn poll_short(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if self.rest.is_empty() {
            let frame = match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => frame,
                other => return other,
            };
            match frame.into_data() {
                Ok(data) => self.rest = data,
                Err(frame) => return Poll::Ready(Some(Ok(frame))),
            }
        }
        let length = self.rest.len().min(FRAME_BYTES);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(length)))))
    }
}

impl HttpBody for WatchedBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let Some(flow) = self.flow.clone() else { return Pin::new(&mut self.body).poll_frame(cx) };
        let polled = self.poll_short(cx);
        let waits = matches!(polled, Poll::Ready(Some(Ok(_))));
        if waits {
            flow.frames.fetch_add(1, Ordering::Relaxed);
        }
        flow.waits.store(waits, Ordering::Relaxed);
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.len() as u64;
        let hint = self.body.size_hint();
        match hint.exact() {
            Some(exact) => SizeHint::with_exact(exact + rest),
            None => hint,
        }
    }
}
