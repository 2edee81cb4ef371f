//! The body of an answer on its way out: its request is under way until it is dropped, and it says whether the client takes it.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker, ready},
};

use bytes::{Buf, Bytes};
use engines::Error;
use futures_util::task::AtomicWaker;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::task::JoinHandle;

use super::activity::Exchange;
use crate::{body::Body, streaming::CredentialEnd};

/// Bytes of a frame at the most. hyper hands a whole frame to an HTTP/2 stream as soon as its window has one byte, and keeps
/// it until the client takes it.
const FRAME_BYTES: usize = 16 << 10;

/// How far the answer of an HTTP/2 stream has got.
///
/// It is also the waker of the body, so that it knows when the body has something more. hyper asks the body only while the
/// stream has a window, and a client may give none from the beginning, or take back what it gave while the body was idle.
#[derive(Debug, Default)]
pub(super) struct ResponseFlow {
    /// Frames that were taken from the body.
    frames: AtomicUsize,
    /// The body has, or may have, something that it has not been asked for: it waits for the client.
    waits: AtomicBool,
    /// Frames that hyper holds, because they are not on their way to the client.
    unsent: AtomicUsize,
    /// The credential of the answer had ended when the body was dropped.
    credential_ended: AtomicBool,
    /// The end of the credential that the answer depends on.
    credential_end: OnceLock<Weak<CredentialEnd>>,
    /// The task of the stream.
    task: AtomicWaker,
}

impl ResponseFlow {
    /// How many frames were taken, if the last of them waits for the client.
    pub(super) fn waiting_after_frames(&self) -> Option<usize> {
        self.waits.load(Ordering::Acquire).then(|| self.frames.load(Ordering::Relaxed))
    }

    /// The end of the credential that the answer depends on, once there is an answer that does.
    pub(super) fn credential_end(&self) -> Option<&Weak<CredentialEnd>> {
        self.credential_end.get()
    }

    /// Whether the credential had ended when the body was dropped.
    pub(super) fn credential_ended(&self) -> bool {
        self.credential_ended.load(Ordering::Acquire)
    }

    /// Waits until every frame of the answer was written to the connection, or dropped with it. Only while nothing else
    /// polls the body.
    pub(super) async fn all_sent(&self) {
        poll_fn(|cx| {
            self.task.register(cx.waker());
            if self.unsent.load(Ordering::Acquire) == 0 { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

impl Wake for ResponseFlow {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.waits.store(true, Ordering::Release);
        self.task.wake();
    }
}

/// The bytes of a frame. Dropped once they were written to the connection.
#[derive(Debug)]
pub(super) struct FrameData {
    bytes: Bytes,
    _unsent: Option<UnsentFrame>,
}

/// Counts a frame for as long as it is not sent.
#[derive(Debug)]
struct UnsentFrame(Arc<ResponseFlow>);

impl UnsentFrame {
    fn new(flow: &Arc<ResponseFlow>) -> Self {
        flow.unsent.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(flow))
    }
}

impl Drop for UnsentFrame {
    fn drop(&mut self) {
        if self.0.unsent.fetch_sub(1, Ordering::AcqRel) == 1 && self.0.credential_ended() {
            self.0.task.wake();
        }
    }
}

impl Buf for FrameData {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }

    fn copy_to_bytes(&mut self, length: usize) -> Bytes {
        self.bytes.copy_to_bytes(length)
    }
}

/// The body of an answer.
pub(super) struct WatchedBody {
    body: Body,
    /// The rest of a frame that was too long for one.
    rest: Bytes,
    flow: Option<Arc<ResponseFlow>>,
    /// Discards the rest of the request's body. The answer ends after it: a client that is still sending when its HTTP/2
    /// stream ends may take that for a failure.
    drain: Option<JoinHandle<()>>,
    _exchange: Option<Exchange>,
}

impl WatchedBody {
    /// A body of HTTP/1: its frames go to one connection, whose writes have a deadline.
    pub(super) fn new(body: Body, exchange: Exchange) -> Self {
        Self { body, rest: Bytes::new(), flow: None, drain: None, _exchange: Some(exchange) }
    }

    /// A body of an HTTP/2 stream. Says in `flow` how far it has got, and ends after `drain`.
    pub(super) fn with_flow(mut body: Body, flow: Arc<ResponseFlow>, drain: Option<JoinHandle<()>>) -> Self {
        // Set once: a stream has one answer.
        let _set = flow.credential_end.set(body.share_credential_end());
        flow.waits.store(true, Ordering::Release);
        Self { body, rest: Bytes::new(), flow: Some(flow), drain, _exchange: None }
    }

    /// The next frame, of at most [`FRAME_BYTES`].
    fn poll_short(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if self.rest.is_empty() {
            let frame = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                Some(failed) => return Poll::Ready(Some(failed)),
                None => {
                    if let Some(drain) = &mut self.drain {
                        // Whether it succeeded or not, it is over.
                        let _over = ready!(Pin::new(drain).poll(cx));
                        self.drain = None;
                    }
                    return Poll::Ready(None);
                }
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
    type Data = FrameData;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<FrameData>, Error>>> {
        let Some(flow) = self.flow.clone() else {
            let polled = ready!(Pin::new(&mut self.body).poll_frame(cx));
            let plain = |bytes| FrameData { bytes, _unsent: None };
            return Poll::Ready(polled.map(|polled| polled.map(|frame| frame.map_data(plain))));
        };
        flow.task.register(cx.waker());
        // Before the body is asked: what it has from now on sets it again.
        flow.waits.store(false, Ordering::Release);
        let waker = Waker::from(Arc::clone(&flow));
        let polled = self.poll_short(&mut Context::from_waker(&waker));
        if matches!(polled, Poll::Ready(Some(Ok(_)))) {
            flow.frames.fetch_add(1, Ordering::Relaxed);
            flow.waits.store(true, Ordering::Release);
        }
        let counted = |bytes| FrameData { bytes, _unsent: Some(UnsentFrame::new(&flow)) };
        polled.map_ok(|frame| frame.map_data(counted))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.drain.is_none() && self.body.is_end_stream()
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

impl Drop for WatchedBody {
    fn drop(&mut self) {
        if let Some(flow) = &self.flow
            && flow.credential_end().and_then(Weak::upgrade).is_some_and(|end| end.has_ended())
        {
            flow.credential_ended.store(true, Ordering::Release);
        }
    }
}
