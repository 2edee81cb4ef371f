//! The SSE rail.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use engines::{
    Code, RequestContext, Result, StreamKey,
    stream::{
        follow::Channels,
        hub::{Start, Subscription},
        sse,
    },
};
use http::{HeaderValue, Response, header};
use hyper::body::{Body as HttpBody, Frame};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::{ask::Ask, body::Body, metrics::Held};

/// `GET /sse/chat/{id}`
pub(crate) async fn chat(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    let key = StreamKey::chat(&ask.id("id")?);
    follow(&ask, &context, key).await
}

/// `GET /sse/canvas/{id}`
pub(crate) async fn canvas(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    let key = StreamKey::canvas(&ask.id("id")?);
    follow(&ask, &context, key).await
}

/// Which channels, and from where.
pub(crate) fn wanted(ask: &Ask) -> Result<(Channels, Start)> {
    let channels = ask.query.one("channels")?.map_or_else(|| Ok(Channels::default()), Channels::parse)?;
    // A browser that reconnects repeats its URL and adds where it was: the header is the newer word.
    let last = ask.headers.get("last-event-id").map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned());
    let last = last.filter(|id| !id.is_empty());
    let cursor = match &last {
        Some(last) => Some(last.as_str()),
        None => ask.query.one("cursor")?,
    };
    Ok((channels, Start::parse(cursor, ask.query.one("from")?)?))
}

async fn follow(ask: &Ask, context: &RequestContext, key: StreamKey) -> Result<Response<Body>> {
    let (channels, start) = wanted(ask)?;
    let subscription = ask.engine().follow().open(context, &key, channels, start).await?;
    let limits = ask.engine().limits();
    let ends = context.expires_at().map(|at| Instant::now() + at.since(ask.engine().guard().clock().now()));
    let events = Events {
        subscription,
        first: Some(sse::PREAMBLE),
        quiet: limits.sse_keepalive(),
        timer: Box::pin(sleep_until(Instant::now() + limits.sse_keepalive())),
        sent: Instant::now(),
        ends,
        ended: false,
        _open: Held::new(&ask.app.metrics().streams),
    };
    let mut response = Response::new(Body::stream(events));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(sse::CONTENT_TYPE));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// A subscription as a body: the events, a comment when there are none, and an end when the credential ends.
struct Events {
    subscription: Subscription,
    first: Option<Bytes>,
    quiet: Duration,
    timer: Pin<Box<Sleep>>,
    sent: Instant,
    ends: Option<Instant>,
    ended: bool,
    _open: Held,
}

impl HttpBody for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, Infallible>>> {
        let this = &mut *self;
        let send = |bytes: Bytes| Poll::Ready(Some(Ok(Frame::data(bytes))));
        if this.ended {
            return Poll::Ready(None);
        }
        if let Some(first) = this.first.take() {
            return send(first);
        }
        loop {
            match this.subscription.poll_next(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    this.sent = Instant::now();
                    return send(frame.sse().clone());
                }
                Poll::Ready(Some(Err(error))) => {
                    this.ended = true;
                    return send(sse::error(error.code(), error.detail()));
                }
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => {}
            }
            if this.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            let now = Instant::now();
            if this.ends.is_some_and(|ends| ends <= now) {
                this.ended = true;
                return send(sse::error(Code::TokenExpired, "the credential has expired; come back with a new one"));
            }
            let quiet = now >= this.sent + this.quiet;
            if quiet {
                this.sent = now;
            }
            let next = this.sent + this.quiet;
            this.timer.as_mut().reset(this.ends.map_or(next, |ends| next.min(ends)));
            if quiet {
                return send(sse::KEEPALIVE);
            }
        }
    }
}
