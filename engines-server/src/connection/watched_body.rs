//! The body of a response while it is sent. Its request counts as in progress until the body is dropped, and the body
//! reports whether the client reads.

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

/// The largest frame, in bytes. hyper passes a whole frame to an HTTP/2 stream as soon as the stream's window has one
/// byte, and keeps it until the client takes it.
const FRAME_BYTES: usize = 16 << 10;

/// The progress of the response of an HTTP/2 stream.
///
/// It is also the waker of the body, so it knows when the body has more data. hyper polls the body only while the
/// stream has a window. A client may grant none from the beginning, or shrink it while the body is idle.
#[derive(Debug, Default)]
pub(super) struct ResponseFlow {
    /// The number of frames that were taken from the body.
    frames: AtomicUsize,
    /// Whether the body has, or may have, data for which it has not been polled, because it waits for the client.
    waits: AtomicBool,
    /// The number of frames that hyper holds, because they are not yet sent.
    unsent: AtomicUsize,
    /// Whether the credential of the response had ended when the body was dropped.
    credential_ended: AtomicBool,
    /// The end of the credential that the response depends on.
    credential_end: OnceLock<Weak<CredentialEnd>>,
    /// The waker of the stream's task.
    task: AtomicWaker,
}

impl ResponseFlow {
    /// Returns how many frames were taken, if the last of them waits for the client.
    pub(super) fn waiting_after_frames(&self) -> Option<usize> {
        self.waits.load(Ordering::Acquire).then(|| self.frames.load(Ordering::Relaxed))
    }

    /// Returns the end of the credential that the response depends on, once there is such a response.
    pub(super) fn credential_end(&self) -> Option<&Weak<CredentialEnd>> {
        self.credential_end.get()
    }

    /// Whether the credential had ended when the body was dropped.
    pub(super) fn credential_ended(&self) -> bool {
        self.credential_ended.load(Ordering::Acquire)
    }

    /// Waits until every frame of the response was written to the connection, or dropped with it. It must be called
    /// only while nothing else polls the body.
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

/// The bytes of a frame. They are dropped once they were written to the connection.
#[derive(Debug)]
pub(super) struct FrameData {
    bytes: Bytes,
    _unsent: Option<UnsentFrame>,
}

/// Counts a frame until it is sent.
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

/// The body of a response.
pub(super) struct WatchedBody {
    body: Body,
    /// The rest of a frame that was longer than [`FRAME_BYTES`].
    rest: Bytes,
    flow: Option<Arc<ResponseFlow>>,
    /// The task that discards the rest of the request's body. The response ends after it, because a client that is
    /// still sending when its HTTP/2 stream ends may take the end for a failure.
    drain: Option<JoinHandle<()>>,
    _exchange: Option<Exchange>,
}

impl WatchedBody {
    /// Creates a body for HTTP/1, whose frames go to one connection. The writes of the connection have a deadline.
    pub(super) fn new(body: Body, exchange: Exchange) -> Self {
        Self { body, rest: Bytes::new(), flow: None, drain: None, _exchange: Some(exchange) }
    }

    /// Creates a body for an HTTP/2 stream. It reports its progress in `flow`, and ends after `drain`.
    pub(super) fn with_flow(mut body: Body, flow: Arc<ResponseFlow>, drain: Option<JoinHandle<()>>) -> Self {
        // It is set only once, because a stream has one response.
        let _set = flow.credential_end.set(body.share_credential_end());
        flow.waits.store(true, Ordering::Release);
        Self { body, rest: Bytes::new(), flow: Some(flow), drain, _exchange: None }
    }

    /// Returns the next frame, of at most [`FRAME_BYTES`].
    fn poll_short(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if self.rest.is_empty() {
            let frame = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                Some(failed) => return Poll::Ready(Some(failed)),
                None => {
                    if let Some(drain) = &mut self.drain {
                        // The response ends whether the task succeeded or not.
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
        // This is before the body is polled, because data that the body gets from now on sets it again.
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
