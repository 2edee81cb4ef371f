//! The SSE rail.

use std::sync::Arc;

use engines::{
    RequestContext, Result, StreamKey,
    stream::{
        follow::Channels,
        hub::Start,
        sse::{CONTENT_TYPE, EventStream},
    },
};
use http::{HeaderValue, Response, header};

use crate::{ask::Ask, body::Body, guarded_io::WriteDeadline, live::EventBody, metrics::Held};

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
    let engine = ask.engine();
    let place = engine.open_streams().enter(context, engine.guard())?;
    let subscription = engine.follow().open(context, &key, channels, start).await?;
    let guard = engine.guard();
    let here = engine.presence().enter(context, &key, guard.ids().ulid(guard.clock().now()));
    let clock = Arc::clone(guard.clock());
    let events = EventStream::new(subscription, context, Arc::clone(&clock), engine.limits(), Some(here));
    let watched = engine.door().watch(context);
    let open = (Held::new(&ask.app.metrics().streams), place);
    let body = EventBody::new(events, watched, context, clock, WriteDeadline::new(&ask.app), open);
    let mut response = Response::new(Body::events(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}
