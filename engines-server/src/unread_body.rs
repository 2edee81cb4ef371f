//! Request bodies that a response did not wait for. A client that is still sending when its connection is reset loses
//! the response (RFC 9112 section 9.6). A limited rest of the body is therefore read and discarded.

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

use crate::{settings::DeadlineSettings, shutdown::Shutdown};

/// The largest rest that is read before the response, so that the connection can be kept.
const SMALL_REST_BYTES: usize = 64 << 10;
/// How long the response waits for such a rest, which usually arrived together with the head.
const SMALL_REST_WAIT: Duration = Duration::from_millis(100);
/// Bytes of one read from a socket whose input is discarded.
const DISCARD_BYTES: usize = 8 << 10;
/// How long a client may pause before it is assumed to send nothing more.
const DISCARD_PAUSE: Duration = Duration::from_secs(2);

/// The body of a request. The rest of it remains available after its reader has dropped it.
pub(crate) struct TrackedBody(BodySource);

enum BodySource {
    /// The request has no body.
    Empty(Incoming),
    Shared(Arc<Mutex<Incoming>>),
}

/// The rest of a body.
pub(crate) struct UnreadBody {
    body: Arc<Mutex<Incoming>>,
    /// Whether the client waits for `100 Continue` before it sends the body.
    expects_continue: bool,
}

/// Tracks the body of a request.
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
    /// Returns whether the body has been read to its end, or whether so small a rest is left that it could be read now.
    /// Otherwise the connection must be closed after the response.
    pub(crate) async fn is_settled(&self) -> bool {
        if self.is_read() {
            return true;
        }
        // Reading would ask the client for the body.
        if self.expects_continue || self.lock().size_hint().lower() > SMALL_REST_BYTES as u64 {
            return false;
        }
        timeout(SMALL_REST_WAIT, self.discard(SMALL_REST_BYTES)).await.unwrap_or(false)
    }

    /// Returns whether the body has been read to its end.
    pub(crate) fn is_read(&self) -> bool {
        self.lock().is_end_stream()
    }

    /// Reads and discards the rest of an HTTP/2 stream's body within the deadlines. When this is dropped before the end
    /// of the body, the stream is reset with `NO_ERROR` (RFC 9113 section 8.1).
    pub(crate) async fn drain(self, deadlines: DeadlineSettings, shutdown: Shutdown) {
        tokio::select! {
            _ = timeout(deadlines.unread_body(), self.discard(deadlines.unread_body_bytes)) => {}
            () = shutdown.begun_for(deadlines.stop_stalled()) => {}
        }
    }

    /// Returns whether the body ended within `most` bytes.
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

/// Reads and discards the input of a connection after its last response, until the client closes it. An immediate close
/// would reset the connection, and the client would lose the response.
pub(crate) async fn wait_for_close(mut stream: TcpStream, deadlines: &DeadlineSettings, shutdown: &Shutdown) {
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
        () = shutdown.begun_for(deadlines.stop_stalled()) => {}
    }
}
