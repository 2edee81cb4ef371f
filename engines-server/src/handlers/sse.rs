//! Streams of server-sent events.

use std::sync::Arc;

use engines::{
    RequestContext, Result, StreamKey,
    stream::{
        follow::Channels,
        hub::StartPosition,
        sse::{CONTENT_TYPE, EventStream},
    },
};
use http::{HeaderValue, Response, header};

use crate::{
    body::Body, deadline_io::WriteDeadline, gauge_guard::GaugeGuard, request::RequestParts, streaming::EventBody,
};

/// `GET /sse/chat/{id}`
pub(crate) async fn chat(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    let key = StreamKey::chat(&parts.resource_id("id")?);
    follow(&parts, &context, key).await
}

/// `GET /sse/canvas/{id}`
pub(crate) async fn canvas(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    let key = StreamKey::canvas(&parts.resource_id("id")?);
    follow(&parts, &context, key).await
}

/// Returns the channels and the start position that a request asks for.
pub(crate) fn subscription_params(parts: &RequestParts) -> Result<(Channels, StartPosition)> {
    let channels = parts.query.single("channels")?.map_or_else(|| Ok(Channels::default()), Channels::parse)?;
    // A browser that reconnects repeats its URL and adds the id of its last event in the header, so the header is
    // newer.
    let last = parts.headers.get("last-event-id").map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned());
    let last = last.filter(|id| !id.is_empty());
    let cursor = match &last {
        Some(last) => Some(last.as_str()),
        None => parts.query.single("cursor")?,
    };
    Ok((channels, StartPosition::parse(cursor, parts.query.single("from")?)?))
}

async fn follow(parts: &RequestParts, context: &RequestContext, key: StreamKey) -> Result<Response<Body>> {
    let (channels, start) = subscription_params(parts)?;
    let engine = parts.engine();
    let place = engine.open_streams().acquire(context, engine.guard())?;
    let subscription = engine.follow().open(context, &key, channels, start).await?;
    let guard = engine.guard();
    let here = engine.presence().join(context, &key, guard.ids().ulid(guard.clock().now()));
    let clock = Arc::clone(guard.clock());
    let events = EventStream::new(subscription, context, Arc::clone(&clock), engine.limits(), Some(here));
    let watched = engine.admission().monitor(context);
    let open = (GaugeGuard::new(&parts.state.metrics.streams), place);
    let body = EventBody::new(
        events,
        watched,
        context,
        clock,
        WriteDeadline::new(&parts.state.settings, &parts.state.shutdown),
        open,
    );
    let mut response = Response::new(Body::from_events(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}
