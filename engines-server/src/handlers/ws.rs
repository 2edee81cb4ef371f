//! WebSockets: the handshake, and the session that follows it.

use std::sync::Arc;

use engines::{
    RequestContext, Result, StreamKey,
    stream::{
        follow::Channels,
        hub::Start,
        ws::{Services, Session},
    },
};
use http::Response;

use super::sse::wanted;
use crate::{
    ask::Ask,
    body::Body,
    handshake::Handshake,
    live::{Conversation, Socket},
    metrics::Held,
};

/// `GET /ws/chat/{id}`
pub(crate) async fn chat(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    let key = StreamKey::chat(&ask.id("id")?);
    let (channels, start) = wanted(&ask)?;
    open(ask, context, Some((key, channels, start))).await
}

/// `GET /ws/canvas/{id}`
pub(crate) async fn canvas(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    let key = StreamKey::canvas(&ask.id("id")?);
    let (channels, start) = wanted(&ask)?;
    open(ask, context, Some((key, channels, start))).await
}

/// `GET /ws`
pub(crate) async fn any(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    open(ask, context, None).await
}

async fn open(
    mut ask: Ask,
    context: RequestContext,
    fixed: Option<(StreamKey, Channels, Start)>,
) -> Result<Response<Body>> {
    let handshake = Handshake::read(&ask.headers)?;
    let engine = ask.engine();
    let guard = engine.guard();
    let place = engine.open_streams().enter(&context, guard)?;
    let services = Services {
        follow: engine.follow().clone(),
        chat: engine.chat().clone(),
        canvas: engine.canvas().clone(),
        presence: engine.presence().clone(),
        limits: Arc::clone(engine.limits()),
    };
    let watched = engine.door().watch(&context);
    let session = Session::open(services, context, guard.ids().ulid(guard.clock().now()), fixed).await?;
    let socket = Socket::Open(Conversation {
        session,
        watched,
        clock: Arc::clone(guard.clock()),
        limits: Arc::clone(engine.limits()),
        shutdown: ask.app.shutdown().clone(),
        _open: (Held::new(&ask.app.metrics().streams), place),
    });
    let upgrade = ask.upgrade.take();
    handshake.accept(upgrade, ask.app.shutdown(), socket)
}
