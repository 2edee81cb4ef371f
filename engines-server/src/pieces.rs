//! A request's body, piece by piece, for handlers that do not want it whole.

use std::{error::Error as StdError, future::poll_fn, pin::pin, time::Duration};

use bytes::{Buf, Bytes};
use engines::{Code, Error, Result};
use futures_util::future::{Either, select};
use http::Response;
use hyper::body::Body as HttpBody;
use tokio::{sync::mpsc, time::timeout};

use crate::{body::Body, routes::Answer};

/// What a handler reads from. It ends with the body, or with why there is no more of it.
#[derive(Debug)]
pub(crate) struct Pieces(mpsc::Receiver<Result<Bytes>>);

impl Pieces {
    /// The next piece; none at the end.
    pub(crate) async fn next(&mut self) -> Option<Result<Bytes>> {
        self.0.recv().await
    }
}

/// How much of a body is taken, and how long it may pause.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) bytes: usize,
    pub(crate) pause: Duration,
}

/// Runs a handler while its body is handed to it, as fast as it takes it and no faster.
///
/// # Errors
/// `BODY_TOO_LARGE` when the body says that it is too long; what the handler says.
pub(crate) async fn feed<B>(
    body: B,
    announced: u64,
    bounds: Bounds,
    handler: impl FnOnce(Pieces) -> Answer,
) -> Result<Response<Body>>
where
    B: HttpBody,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    if announced > bounds.bytes as u64 {
        return Err(too_large(bounds.bytes));
    }
    let (sender, receiver) = mpsc::channel(1);
    let (handler, pump) = (handler(Pieces(receiver)), pin!(pump(body, bounds, sender)));
    match select(handler, pump).await {
        Either::Left((answer, _)) => answer,
        Either::Right(((), handler)) => handler.await,
    }
}

async fn pump<B>(body: B, bounds: Bounds, sender: mpsc::Sender<Result<Bytes>>)
where
    B: HttpBody,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    let (mut body, mut read) = (pin!(body), 0_usize);
    loop {
        let piece = match timeout(bounds.pause, poll_fn(|cx| body.as_mut().poll_frame(cx))).await {
            Err(_) => {
                let detail = "the body took too long to go on; send it faster or in parts";
                Err(Error::new(Code::RequestTimeout, "http.body", detail))
            }
            Ok(None) => return,
            Ok(Some(Err(error))) => {
                Err(Error::body("http.body", "", "the body broke off before its end").with_source(error))
            }
            Ok(Some(Ok(frame))) => {
                let Ok(mut data) = frame.into_data() else { continue };
                read = read.saturating_add(data.remaining());
                if read > bounds.bytes {
                    Err(too_large(bounds.bytes))
                } else {
                    Ok(data.copy_to_bytes(data.remaining()))
                }
            }
        };
        let last = piece.is_err();
        // Nobody reads any more: the handler has its answer.
        if sender.send(piece).await.is_err() || last {
            return;
        }
    }
}

fn too_large(limit: usize) -> Error {
    Error::new(Code::BodyTooLarge, "http.body", format!("the body is larger than {limit} bytes"))
        .with_member("limit", limit)
}
