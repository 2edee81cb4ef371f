//! Server-sent events on a socket of our own, or as a body in somebody else's service.

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
    metrics::GaugeGuard,
    socket_options::reset_on_close,
};

/// Pieces written with one system call at the most.
const MAX_CHUNKS: usize = 64;
/// Bytes gathered for one write at the most; what a slow reader does not take stays in the log.
const MAX_BATCH_BYTES: usize = 64 << 10;

/// A stream of events as a body, and as what a connection becomes.
pub(crate) struct EventBody {
    events: EventStream,
    /// Until it ends, the reader may have the events.
    credential: Credential,
    deadline: WriteDeadline,
    expires_at: Option<Timestamp>,
    clock: Arc<dyn Clock>,
    /// What counts it for as long as it is open.
    _open: (GaugeGuard, StreamPermit),
}

impl EventBody {
    /// The events that `context` follows. A reader that takes nothing for as long as `deadline` says is given up.
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

    /// Lets the connection wait for the end of the credential too.
    pub(crate) fn share_credential_end(&mut self) -> Weak<CredentialEnd> {
        self.credential.share()
    }

    /// How long a write may now wait for the reader: to the deadline, or until the credential expires if that is sooner. The
    /// events cannot say so, because they are not asked while the reader takes nothing.
    fn stall(&self) -> StallTimer {
        self.deadline.stall_timer_within(self.expires_at.map(|end| end.since(self.clock.now())))
    }

    /// The last event, once the reader's right to more has ended.
    fn poll_revoked(&mut self, cx: &mut Context<'_>) -> Poll<Bytes> {
        let error = ready!(self.credential.poll_error(cx));
        Poll::Ready(error_event(error.code(), error.detail()))
    }

    /// The next piece.
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

/// Writes a head and then events until they end or the reader is gone; a future of few words, because there are many.
/// The end of the stream is the end of the connection (RFC 9112 section 6.3, rule 8), so the head must say `Connection: close`.
pub(crate) struct EventSender<P> {
    socket: TcpStream,
    body: Box<EventBody>,
    pending: VecDeque<Bytes>,
    bytes: usize,
    ended: bool,
    /// Nothing more is for this reader; what it does not take at once is dropped.
    revoked: bool,
    /// Since when the reader has taken nothing.
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
    /// Ready once everything is sent, or the reader is gone.
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
                        // It resumes with its last cursor when it reads again.
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

    /// Takes events that are there, up to the bounds of one write; says whether there are no more for now.
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
            // An idle follower keeps no room for what it was sent.
            self.pending.shrink_to(1);
        }
        Poll::Ready(Ok(()))
    }

    /// Notices that the reader is gone. Whatever else it sends is passed over.
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
