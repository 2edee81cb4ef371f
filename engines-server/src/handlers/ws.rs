//! The WebSocket rail: the handshake (RFC 6455 section 4.2), and the session that follows it.

use std::sync::Arc;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use engines::{
    Error, RequestContext, Result, StreamKey,
    stream::{
        follow::Channels,
        hub::Start,
        ws::{SUBPROTOCOL, Services, Session},
    },
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use sha1_smol::Sha1;

use super::sse::wanted;
use crate::{
    ask::{Ask, Upgrade},
    body::Body,
    live::{Socket, run_socket},
    metrics::Held,
};

/// What a server appends to the client's key (RFC 6455 section 1.3).
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

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
    let accept = accept(&ask.headers)?;
    let engine = ask.engine();
    let services = Services {
        follow: engine.follow().clone(),
        chat: engine.chat().clone(),
        canvas: engine.canvas().clone(),
        presence: engine.presence().clone(),
        limits: Arc::clone(engine.limits()),
    };
    let guard = engine.guard();
    let watched = engine.door().watch(&context);
    let session = Session::open(services, context, guard.ids().ulid(guard.clock().now()), fixed).await?;
    let socket = Socket {
        session,
        watched,
        clock: Arc::clone(guard.clock()),
        limits: Arc::clone(engine.limits()),
        shutdown: ask.app.shutdown().clone(),
        _open: Held::new(&ask.app.metrics().streams),
    };

    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    if has_token(&ask.headers, &header::SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL) {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    }
    match ask.upgrade.take() {
        Some(Upgrade::Own) => *response.body_mut() = Body::socket(socket),
        Some(Upgrade::Hyper(upgrade)) => {
            let hold = ask.app.shutdown().hold();
            tokio::spawn(async move {
                match upgrade.await {
                    Ok(io) => run_socket(TokioIo::new(io), Box::new(socket)).await,
                    Err(error) => tracing::debug!(%error, "a connection did not become a WebSocket"),
                }
                drop(hold);
            });
        }
        None => return Err(refuse("Upgrade", "this connection cannot be upgraded; use HTTP/1.1")),
    }
    Ok(response)
}

/// Checks the client's handshake; returns what it must be answered with.
fn accept(headers: &HeaderMap) -> Result<HeaderValue> {
    if !has_token(headers, &header::UPGRADE, "websocket") || !has_token(headers, &header::CONNECTION, "upgrade") {
        return Err(refuse("Upgrade", "this is a WebSocket: send its handshake (Upgrade: websocket)"));
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(refuse("Sec-WebSocket-Version", "the version of the WebSocket protocol must be 13"));
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes).unwrap_or_default();
    if BASE64_STANDARD.decode(key).map_or(0, |key| key.len()) != 16 {
        return Err(refuse("Sec-WebSocket-Key", "the handshake's key must be 16 bytes in base64"));
    }
    let mut digest = Sha1::from(key);
    digest.update(GUID.as_bytes());
    HeaderValue::from_str(&BASE64_STANDARD.encode(digest.digest().bytes()))
        .map_err(|error| Error::internal("ws.accept", error))
}

fn refuse(field: &str, detail: &'static str) -> Error {
    Error::body("ws.accept", field, detail)
}

/// Whether a header's list holds `token`, in any letter case.
fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|found| found.trim().eq_ignore_ascii_case(token))
}
