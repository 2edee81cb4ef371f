//! Bodies that an answer did not wait for. A client that is still sending when its connection is reset loses the answer (RFC 9112
//! section 9.6), so a bounded rest of the body is read and discarded.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf, Bytes};
use http::{Request, header};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::{io::AsyncReadExt, net::TcpStream, time::timeout};

use crate::App;

/// A rest of so many bytes is read before the answer, so that the connection can be kept.
const SMALL_REST_BYTES: usize = 64 << 10;
/// How long the answer waits for such a rest. It usually came together with the head.
const SMALL_REST_WAIT: Duration = Duration::from_millis(100);
/// Bytes read at once from a socket whose input is discarded.
const DISCARD_BYTES: usize = 8 << 10;
/// How long a client may pause before nothing more is expected from it.
const DISCARD_PAUSE: Duration = Duration::from_secs(2);

/// The body of a request, which is still there when whoever was to read it has dropped it.
pub(crate) struct TrackedBody(BodySource);

enum BodySource {
    /// There is no body.
    Empty(Incoming),
    Shared(Arc<Mutex<Incoming>>),
}

/// What is left of a body.
pub(crate) struct UnreadBody {
    body: Arc<Mutex<Incoming>>,
    /// The client waits for `100 Continue` before it sends the body.
    expects_continue: bool,
}

/// Follows the body of a request.
pub(crate) fn track(request: Request<Incoming>) -> (Request<TrackedBody>, Option<UnreadBody>) {
    let (parts, body) = request.into_parts();
    if body.is_end_stream() {
        return (Request::from_parts(parts, TrackedBody(BodySource::Empty(body))), None);
    }
    let expects_continue = parts.headers.contains_key(header::EXPECT);
    let body = Arc::new(Mutex::new(body));
    let unread = UnreadBody { body: Arc::clone(&body), expects_continue };
    (Request::from_parts(parts, TrackedBody(BodySource::Shared(body))), Some(unread))
}

impl UnreadBody {
    /// Whether the body has been read to its end, or has so small a rest that it could be read now. Where it has not, the
    /// connection must be closed after the answer.
    pub(crate) async fn is_settled(&self) -> bool {
        if self.is_read() {
            return true;
        }
        // Reading on would ask the client for the body.
        if self.expects_continue || self.lock().size_hint().lower() > SMALL_REST_BYTES as u64 {
            return false;
        }
        timeout(SMALL_REST_WAIT, self.discard(SMALL_REST_BYTES)).await.unwrap_or(false)
    }

    /// Whether the body has been read to its end.
    pub(crate) fn is_read(&self) -> bool {
        self.lock().is_end_stream()
    }

    /// Reads and discards the rest of an HTTP/2 stream's body within the deadlines. When this is dropped the stream is reset
    /// with `NO_ERROR` (RFC 9113 section 8.1), unless its end was reached.
    pub(crate) async fn drain(self, app: App) {
        let deadlines = &app.settings().deadlines;
        tokio::select! {
            _ = timeout(deadlines.unread_body(), self.discard(deadlines.unread_body_bytes)) => {}
            () = app.shutdown().begun_for(deadlines.stop_stalled()) => {}
        }
    }

    /// Whether the end came within `most` bytes.
    async fn discard(&self, most: usize) -> bool {
        let mut left = most;
        loop {
            let frame = poll_fn(|cx| Pin::new(&mut *self.lock()).poll_frame(cx)).await;
            let frame = match frame {
                None => return true,
                Some(Err(_)) => return false,
                Some(Ok(frame)) => frame,
            };
            let bytes = frame.data_ref().map_or(0, Buf::remaining);
            match left.checked_sub(bytes) {
                Some(rest) => left = rest,
                None => return false,
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Incoming> {
        self.body.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HttpBody for TrackedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut self.0 {
            BodySource::Empty(body) => Pin::new(body).poll_frame(cx),
            BodySource::Shared(body) => {
                Pin::new(&mut *body.lock().unwrap_or_else(PoisonError::into_inner)).poll_frame(cx)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            BodySource::Empty(body) => body.is_end_stream(),
            BodySource::Shared(body) => body.lock().unwrap_or_else(PoisonError::into_inner).is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            BodySource::Empty(body) => body.size_hint(),
            BodySource::Shared(body) => body.lock().unwrap_or_else(PoisonError::into_inner).size_hint(),
        }
    }
}

/// Reads and discards what a client still sends on a connection whose answers are complete, until it closes. Closing at once
/// would reset the connection, and the client would lose the answer.
pub(crate) async fn wait_for_close(mut stream: TcpStream, app: &App) {
    let deadlines = &app.settings().deadlines;
    let mut scrap = vec![0; DISCARD_BYTES];
    let discard = async {
        let mut left = deadlines.unread_body_bytes;
        while let Ok(Ok(read)) = timeout(DISCARD_PAUSE, stream.read(&mut scrap)).await {
            if read == 0 || read > left {
                break;
            }
            left -= read;
        }
    };
    tokio::select! {
        _ = timeout(deadlines.unread_body(), discard) => {}
        () = app.shutdown().begun_for(deadlines.stop_stalled()) => {}
    }
}
