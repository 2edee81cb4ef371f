//! The body of a request as a stream of chunks, for handlers that do not need it whole.

use std::{
    error::Error as StdError,
    future::poll_fn,
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf, Bytes};
use engines::{Code, Error, Result};
use futures_util::{
    Stream,
    future::{Either, select},
};
use http::Response;
use hyper::body::{Body as HttpBody, Frame};
use tokio::{sync::mpsc, time::timeout};

use crate::{body::Body, body_intake::shutting_down, response::HandlerFuture, shutdown::Shutdown};

/// The chunks that a handler reads. The stream ends with the body, or with the error that ended it early.
#[derive(Debug)]
pub(crate) struct BodyStream(mpsc::Receiver<Result<Bytes>>);

impl Stream for BodyStream {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx)
    }
}

/// The limits of a streamed body: its bytes and its pauses.
#[derive(Debug, Clone)]
pub(crate) struct BodyLimits {
    pub(crate) bytes: usize,
    pub(crate) max_pause: Duration,
    /// The server's shutdown, and how long the body may continue after it began.
    pub(crate) stopping: (Shutdown, Duration),
}

/// Runs a handler while its body is received. The body is read as fast as the handler reads it.
///
/// # Errors
/// - `BODY_TOO_LARGE` when the announced length is over the limit.
/// - The errors of the handler.
pub(crate) async fn stream_body<B>(
    body: B,
    announced: u64,
    bounds: BodyLimits,
    handler: impl FnOnce(BodyStream) -> HandlerFuture,
) -> Result<Response<Body>>
where
    B: HttpBody,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    if announced > bounds.bytes as u64 {
        return Err(too_large(bounds.bytes));
    }
    let (sender, receiver) = mpsc::channel(1);
    let (handler, pump) = (handler(BodyStream(receiver)), pin!(forward_chunks(body, bounds, sender)));
    match select(handler, pump).await {
        Either::Left((answer, _)) => answer,
        Either::Right(((), handler)) => handler.await,
    }
}

async fn forward_chunks<B>(body: B, bounds: BodyLimits, sender: mpsc::Sender<Result<Bytes>>)
where
    B: HttpBody,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    let (mut body, mut read) = (pin!(body), 0_usize);
    let (shutdown, grace) = &bounds.stopping;
    loop {
        let next = tokio::select! {
            biased;
            next = next_chunk(body.as_mut(), bounds.max_pause) => next,
            () = shutdown.begun_for(*grace) => Some(Err(shutting_down())),
        };
        let piece = match next {
            None => return,
            Some(Ok(data)) => {
                read = read.saturating_add(data.len());
                if read > bounds.bytes { Err(too_large(bounds.bytes)) } else { Ok(data) }
            }
            Some(refused) => refused,
        };
        let last = piece.is_err();
        // The receiver is gone when the handler has returned its response.
        if sender.send(piece).await.is_err() || last {
            return;
        }
    }
}

/// Returns the next bytes of a body, or `None` at its end.
async fn next_chunk<B>(mut body: Pin<&mut B>, pause: Duration) -> Option<Result<Bytes>>
where
    B: HttpBody,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    loop {
        let Ok(frame) = timeout(pause, poll_fn(|cx| body.as_mut().poll_frame(cx))).await else {
            let detail = "the body paused for too long; send it faster or in parts";
            return Some(Err(Error::new(Code::RequestTimeout, "http.body", detail)));
        };
        match frame?.map(Frame::into_data) {
            Ok(Ok(mut data)) => return Some(Ok(data.copy_to_bytes(data.remaining()))),
            Ok(Err(_)) => {}
            Err(error) => {
                let fault =
                    Error::invalid_body("http.body", "", "the body broke off before its end").with_source(error);
                return Some(Err(fault));
            }
        }
    }
}

fn too_large(limit: usize) -> Error {
    Error::new(Code::BodyTooLarge, "http.body", format!("the body is larger than {limit} bytes"))
        .with_member("limit", limit)
}
