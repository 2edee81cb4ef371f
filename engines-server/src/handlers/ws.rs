//! The WebSocket rail's opening handshake (RFC 6455 section 4.2).

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
use sha1_smol::Sha1;

use super::sse::wanted;
use crate::{ask::Ask, body::Body, socket};

/// What the accepted key is hashed with (RFC 6455 section 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

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

/// Whatever would refuse the session refuses the handshake, so that it is told as any other request is.
async fn open(
    mut ask: Ask,
    context: RequestContext,
    fixed: Option<(StreamKey, Channels, Start)>,
) -> Result<Response<Body>> {
    let accept = accept(&ask.headers)?;
    let upgrade = ask.upgrade.take().ok_or_else(|| refused("Upgrade", "WebSocket is served over HTTP/1.1"))?;
    let engine = ask.engine();
    let services = Services {
        follow: engine.follow().clone(),
        chat: engine.chat().clone(),
        canvas: engine.canvas().clone(),
        presence: engine.presence().clone(),
        limits: Arc::new(engine.limits().clone()),
    };
    let session_id = engine.guard().ids().ulid(engine.guard().clock().now());
    let session = Session::open(services, context, session_id, fixed).await?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    if has_token(&ask.headers, &header::SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL) {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    }
    tokio::spawn(socket::drive(ask.app.clone(), upgrade, session));
    Ok(response)
}

/// Checks the handshake and answers its key.
fn accept(headers: &HeaderMap) -> Result<HeaderValue> {
    if !has_token(headers, &header::UPGRADE, "websocket") || !has_token(headers, &header::CONNECTION, "upgrade") {
        return Err(refused("Upgrade", "this route speaks WebSocket: send Connection: Upgrade and Upgrade: websocket"));
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(refused("Sec-WebSocket-Version", "send Sec-WebSocket-Version: 13"));
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes).unwrap_or_default();
    if BASE64_STANDARD.decode(key).map_or(0, |nonce| nonce.len()) != 16 {
        return Err(refused("Sec-WebSocket-Key", "send 16 random bytes in Base64"));
    }
    let mut hash = Sha1::from(key);
    hash.update(GUID);
    HeaderValue::try_from(BASE64_STANDARD.encode(hash.digest().bytes()))
        .map_err(|error| Error::internal("ws.accept", error))
}

fn refused(field: &str, detail: &'static str) -> Error {
    Error::body("ws.open", field, detail)
}

/// Whether a header is a list with this word, in any letter case.
fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|word| word.trim().eq_ignore_ascii_case(token))
}
