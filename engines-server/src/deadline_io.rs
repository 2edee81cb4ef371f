//! The socket of a connection. It yields bytes that were read ahead first, and fails when the peer stops reading.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf, Bytes};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::sleep,
};

use crate::{settings::HttpSettings, shutdown::Shutdown, socket_options::reset_on_close};

/// How long a write may make no progress.
#[derive(Debug, Clone)]
pub(crate) struct WriteDeadline {
    limit: Duration,
    /// The deadline after the server has begun to stop.
    stopping: Duration,
    shutdown: Shutdown,
}

/// A timer that becomes ready once a write has made no progress for too long.
pub(crate) type StallTimer = Pin<Box<dyn Future<Output = ()> + Send>>;

impl WriteDeadline {
    pub(crate) fn new(settings: &HttpSettings, shutdown: &Shutdown) -> Self {
        let deadlines = &settings.deadlines;
        Self {
            limit: deadlines.write(),
            stopping: deadlines.stop_stalled().min(deadlines.write()),
            shutdown: shutdown.clone(),
        }
    }

    /// Starts a timer for progress.
    pub(crate) fn stall_timer(&self) -> StallTimer {
        self.stall_timer_within(None)
    }

    /// Starts a timer like [`WriteDeadline::stall_timer`], of `most` at the longest.
    pub(crate) fn stall_timer_within(&self, most: Option<Duration>) -> StallTimer {
        let Self { limit, stopping, shutdown } = self.clone();
        Box::pin(async move {
            tokio::select! {
                () = sleep(most.map_or(limit, |most| most.min(limit))) => {}
                () = shutdown.begun_for(stopping) => {}
            }
        })
    }
}

/// A socket, with bytes that were read ahead and a deadline for writes.
pub(crate) struct DeadlineIo {
    prefix: Bytes,
    stream: TcpStream,
    deadline: WriteDeadline,
    stall: Option<StallTimer>,
    blocked: Option<Arc<AtomicBool>>,
}

impl DeadlineIo {
    pub(crate) fn new(prefix: Bytes, stream: TcpStream, deadline: WriteDeadline) -> Self {
        Self { prefix, stream, deadline, stall: None, blocked: None }
    }

    /// Sets `blocked` while a write waits for the peer.
    pub(crate) fn with_blocked_flag(mut self, blocked: Arc<AtomicBool>) -> Self {
        self.blocked = Some(blocked);
        self
    }

    /// Returns the bytes that were read ahead and not yet taken, and the socket.
    pub(crate) fn into_parts(self) -> (Bytes, TcpStream) {
        (self.prefix, self.stream)
    }

    /// Passes on the result of a write, or an error if the write has been pending for too long.
    fn track_progress<T>(&mut self, cx: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            if self.stall.take().is_some() {
                reset_on_close(&self.stream, false);
                self.set_blocked(false);
            }
            return outcome;
        }
        if self.stall.is_none() {
            reset_on_close(&self.stream, true);
            self.set_blocked(true);
        }
        let stall = self.stall.get_or_insert_with(|| self.deadline.stall_timer());
        match stall.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer does not read"))),
            Poll::Pending => Poll::Pending,
        }
    }

    fn set_blocked(&self, is_blocked: bool) {
        if let Some(blocked) = &self.blocked {
            blocked.store(is_blocked, Ordering::Relaxed);
        }
    }
}

impl AsyncRead for DeadlineIo {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.prefix.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let count = self.prefix.len().min(buf.remaining());
        buf.put_slice(&self.prefix[..count]);
        self.prefix.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for DeadlineIo {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.track_progress(cx, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.track_progress(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
