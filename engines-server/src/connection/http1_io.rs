//! The socket of an HTTP/1 connection, without the responses that hyper generates.
//!
//! hyper responds by itself to a head that it cannot parse: with a status and no headers, which no setting changes.
//! Such a response is discarded here and its status is kept, so that the connection can send one with the common
//! headers.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::activity::ConnectionActivity;

/// The beginning of every response that hyper generates. The status follows. The version is that of the last request on
/// the connection.
const VERSIONS: [&[u8]; 2] = [b"HTTP/1.1 ", b"HTTP/1.0 "];

/// Whether the bytes that hyper writes belong to a request that the server handles. It is cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Answering(Arc<AtomicBool>);

impl Answering {
    /// Records that the server handles a request.
    pub(super) fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The socket, as hyper sees it.
pub(super) struct Http1Io<T> {
    io: T,
    answering: Answering,
    activity: ConnectionActivity,
    /// The status of the response that hyper generated.
    refused: Option<StatusCode>,
}

impl<T> Http1Io<T> {
    pub(super) fn new(io: T, answering: Answering, activity: ConnectionActivity) -> Self {
        Self { io, answering, activity, refused: None }
    }

    /// Returns the socket, and the status with which hyper refused a head.
    pub(super) fn into_parts(self) -> (T, Option<StatusCode>) {
        (self.io, self.refused)
    }

    /// Returns whether `bytes` are discarded, because hyper writes them without a request of the server.
    fn discards(&mut self, bytes: &[u8]) -> bool {
        if self.refused.is_none() && !self.answering.0.load(Ordering::Relaxed) {
            let status =
                VERSIONS.iter().find_map(|version| bytes.strip_prefix(*version)).and_then(|rest| rest.get(..3));
            self.refused = status.and_then(|status| StatusCode::from_bytes(status).ok());
        }
        self.refused.is_some()
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Http1Io<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Http1Io<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.discards(buf) {
            true => Poll::Ready(Ok(buf.len())),
            false => Pin::new(&mut self.io).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.discards(bufs.first().map_or(&[], |first| first)) {
            true => Poll::Ready(Ok(bufs.iter().map(|buf| buf.len()).sum())),
            false => Pin::new(&mut self.io).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    /// hyper flushes once its buffer is empty. Bytes that it writes between that and the next request are of its own
    /// making.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.activity.is_idle() {
            self.answering.0.store(false, Ordering::Relaxed);
        }
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.refused {
            // The response of the server follows.
            Some(_) => Poll::Ready(Ok(())),
            None => Pin::new(&mut self.io).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    const REFUSAL: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\r\n";

    #[tokio::test]
    async fn only_what_is_written_without_a_request_is_discarded() {
        let (answering, activity) = (Answering::default(), ConnectionActivity::new());
        let mut io = Http1Io::new(Vec::new(), answering.clone(), activity.clone());
        let exchange = activity.begin();
        answering.begin();
        // The chunks of a body may look like a generated response: in the middle, and the last one, which is written
        // after the body was dropped.
        io.write_all(REFUSAL).await.unwrap();
        io.flush().await.unwrap();
        io.write_all(REFUSAL).await.unwrap();
        drop(exchange);
        io.write_all(REFUSAL).await.unwrap();
        io.flush().await.unwrap();
        io.write_all(REFUSAL).await.unwrap();
        io.shutdown().await.unwrap();
        let (written, refused) = io.into_parts();
        assert_eq!(written, REFUSAL.repeat(3));
        assert_eq!(refused, Some(StatusCode::BAD_REQUEST));
    }

    #[tokio::test]
    async fn what_is_written_in_the_version_of_an_older_client_is_discarded_too() {
        let mut io = Http1Io::new(Vec::new(), Answering::default(), ConnectionActivity::new());
        io.write_all(b"HTTP/1.0 431 Request Header Fields Too Large\r\n\r\n").await.unwrap();
        let (written, refused) = io.into_parts();
        assert_eq!((written, refused), (Vec::new(), Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)));
    }
}
