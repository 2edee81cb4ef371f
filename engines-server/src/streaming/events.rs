//! Server-sent events, on a socket of the server's own listener or as a body in another HTTP service.

use std::{
    collections::VecDeque,
    convert::Infallible,
    io::{self, IoSlice},
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use engines::{
    Clock, RequestContext, Timestamp,
    auth::{MonitoredSession, control::StreamPermit},
    stream::sse::{EventStream, encode_error as error_event},
};
use futures_util::Stream;
use hyper::body::{Body as HttpBody, Frame};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use super::credential_end::{Credential, CredentialEnd};
use crate::{
    deadline_io::{StallTimer, WriteDeadline},
    gauge_guard::GaugeGuard,
    socket_options::reset_on_close,
};

/// Chunks that are written with one system call at most.
const MAX_CHUNKS: usize = 64;
/// Bytes that are collected for one write at most. What a slow reader does not take stays in the log.
const MAX_BATCH_BYTES: usize = 64 << 10;

/// A stream of events, as a body or as the task that takes over a connection.
pub(crate) struct EventBody {
    events: EventStream,
    /// The credential of the reader. The stream ends with it.
    credential: Credential,
    deadline: WriteDeadline,
    expires_at: Option<Timestamp>,
    clock: Arc<dyn Clock>,
    /// Counts the stream while it is open.
    _open: (GaugeGuard, StreamPermit),
}

impl EventBody {
    /// Creates a stream of the events that `context` follows. A reader that takes nothing for the time of `deadline` is
    /// disconnected.
    pub(crate) fn new(
        events: EventStream,
        session: MonitoredSession,
        context: &RequestContext,
        clock: Arc<dyn Clock>,
        deadline: WriteDeadline,
        open: (GaugeGuard, StreamPermit),
    ) -> Self {
        let credential = Credential::Own(session);
        Self { events, credential, deadline, expires_at: context.expires_at(), clock, _open: open }
    }

    /// Lets the connection wait for the end of the credential as well.
    pub(crate) fn share_credential_end(&mut self) -> Weak<CredentialEnd> {
        self.credential.share()
    }

    /// Returns a timer for how long a write may wait for the reader: until the deadline, or until the credential
    /// expires if that is sooner. The events are not polled while the reader takes nothing, so they cannot report the
    /// end.
    fn stall(&self) -> StallTimer {
        self.deadline.stall_timer_within(self.expires_at.map(|end| end.since(self.clock.now())))
    }

    /// Returns the last event, once the credential of the reader has ended.
    fn poll_revoked(&mut self, cx: &mut Context<'_>) -> Poll<Bytes> {
        let error = ready!(self.credential.poll_error(cx));
        Poll::Ready(error_event(error.code(), error.detail()))
    }

    /// Returns the next chunk.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.credential.is_over() {
            return Poll::Ready(None);
        }
        match self.poll_revoked(cx) {
            Poll::Ready(last) => Poll::Ready(Some(last)),
            Poll::Pending => Pin::new(&mut self.events).poll_next(cx),
        }
    }
}

impl HttpBody for EventBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.as_mut().poll_next(cx).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}

/// Writes a head and then events until they end or the reader disconnects. The future is small, because there are many.
/// The end of the stream is the end of the connection (RFC 9112 section 6.3, rule 8), so the head must contain
/// `Connection: close`.
pub(crate) struct EventSender<P> {
    socket: TcpStream,
    body: Box<EventBody>,
    pending: VecDeque<Bytes>,
    bytes: usize,
    ended: bool,
    /// Whether the reader gets nothing more. Data that it does not take at once is dropped.
    revoked: bool,
    /// The timer that runs while the reader takes nothing.
    stall: Option<StallTimer>,
    _permit: P,
}

impl<P> EventSender<P> {
    pub(crate) fn new(socket: TcpStream, head: Bytes, body: Box<EventBody>, place: P) -> Self {
        Self {
            socket,
            body,
            pending: VecDeque::from([head]),
            bytes: 0,
            ended: false,
            revoked: false,
            stall: None,
            _permit: place,
        }
    }
}

impl<P: Unpin> Future for EventSender<P> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match ready!(self.send(cx)) {
            Ok(()) => Pin::new(&mut self.socket).poll_shutdown(cx).map(|_| ()),
            Err(_) => Poll::Ready(()),
        }
    }
}

impl<P> EventSender<P> {
    /// Becomes ready once everything is sent, or the reader has disconnected.
    fn send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.ended
            && let Poll::Ready(last) = self.body.poll_revoked(cx)
        {
            self.pending.push_back(last);
            (self.ended, self.revoked) = (true, true);
        }
        loop {
            let idle = self.fill_pending(cx);
            if !self.pending.is_empty() {
                if self.poll_write(cx)?.is_pending() {
                    if self.revoked {
                        return Poll::Ready(Ok(()));
                    }
                    let body = &self.body;
                    if self.stall.is_none() {
                        reset_on_close(&self.socket, true);
                    }
                    if self.stall.get_or_insert_with(|| body.stall()).as_mut().poll(cx).is_ready() {
                        // The reader can resume with its last cursor.
                        return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                    }
                    return self.poll_disconnected(cx);
                }
                if self.stall.take().is_some() {
                    reset_on_close(&self.socket, false);
                }
                continue;
            }
            if self.ended {
                return Poll::Ready(Ok(()));
            }
            if idle {
                return self.poll_disconnected(cx);
            }
        }
    }

    /// Takes available events, up to the limits of one write. Returns whether there are no more for now.
    fn fill_pending(&mut self, cx: &mut Context<'_>) -> bool {
        while !self.ended && self.pending.len() < MAX_CHUNKS && self.bytes < MAX_BATCH_BYTES {
            match self.body.poll_next(cx) {
                Poll::Pending => return true,
                Poll::Ready(None) => self.ended = true,
                Poll::Ready(Some(piece)) => {
                    self.bytes += piece.len();
                    self.pending.push_back(piece);
                }
            }
        }
        false
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut slices = [IoSlice::new(&[]); MAX_CHUNKS];
        let mut used = 0;
        for (slice, piece) in slices.iter_mut().zip(&self.pending) {
            *slice = IoSlice::new(piece);
            used += 1;
        }
        let mut written = ready!(Pin::new(&mut self.socket).poll_write_vectored(cx, &slices[..used]))?;
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.bytes = self.bytes.saturating_sub(written);
        while let Some(first) = self.pending.front_mut() {
            if written < first.len() {
                first.advance(written);
                break;
            }
            written -= first.len();
            self.pending.pop_front();
        }
        if self.pending.is_empty() {
            // An idle stream keeps no memory for events that were sent.
            self.pending.shrink_to(1);
        }
        Poll::Ready(Ok(()))
    }

    /// Notices that the reader has disconnected. Other input is discarded.
    fn poll_disconnected(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut scrap = [0; 64];
        loop {
            let mut scrap = ReadBuf::new(&mut scrap);
            ready!(Pin::new(&mut self.socket).poll_read(cx, &mut scrap))?;
            if scrap.filled().is_empty() {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }
}
