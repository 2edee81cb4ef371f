//! WebSockets: the handshake and the session.

use std::sync::Arc;

use engines::{
    RequestContext, Result, StreamKey,
    stream::{
        follow::Channels,
        hub::StartPosition,
        ws::{SessionServices, SocketSession},
    },
};
use http::Response;

use super::sse::subscription_params;
use crate::{
    body::Body,
    gauge_guard::GaugeGuard,
    handshake::Handshake,
    request::RequestParts,
    streaming::{WebSocketSession, WebSocketTask},
};

/// `GET /ws/chat/{id}`
pub(crate) async fn chat(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    let key = StreamKey::chat(&parts.resource_id("id")?);
    let (channels, start) = subscription_params(&parts)?;
    open(parts, context, Some((key, channels, start))).await
}

/// `GET /ws/canvas/{id}`
pub(crate) async fn canvas(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    let key = StreamKey::canvas(&parts.resource_id("id")?);
    let (channels, start) = subscription_params(&parts)?;
    open(parts, context, Some((key, channels, start))).await
}

/// `GET /ws`
pub(crate) async fn multiplexed(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    open(parts, context, None).await
}

async fn open(
    mut parts: RequestParts,
    context: RequestContext,
    fixed: Option<(StreamKey, Channels, StartPosition)>,
) -> Result<Response<Body>> {
    let handshake = Handshake::read(&parts.headers)?;
    let engine = parts.engine();
    let guard = engine.guard();
    let place = engine.open_streams().acquire(&context, guard)?;
    let services = SessionServices {
        follow: engine.follow().clone(),
        chat: engine.chat().clone(),
        canvas: engine.canvas().clone(),
        presence: engine.presence().clone(),
        limits: Arc::clone(engine.limits()),
    };
    let watched = engine.admission().monitor(&context);
    let session = SocketSession::open(services, context, guard.ids().ulid(guard.clock().now()), fixed).await?;
    let socket = WebSocketTask::Open(WebSocketSession {
        session,
        watched,
        clock: Arc::clone(guard.clock()),
        limits: Arc::clone(engine.limits()),
        shutdown: parts.state.shutdown.clone(),
        _open: (GaugeGuard::new(&parts.state.metrics.streams), place),
    });
    let upgrade = parts.upgrade.take();
    handshake.accept(upgrade, &parts.state.shutdown, socket)
}
