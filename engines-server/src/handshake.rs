//! The handshake of a WebSocket (RFC 6455 section 4.2), and its refusal.
//!
//! A browser reports a refusal over HTTP as close code 1006 and nothing else. A handshake with an `Origin` comes from a
//! browser. If it is refused, it is accepted and closed at once with a code and a reason. All other clients get a
//! problem document.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use engines::{Code, Error, Result, stream::ws::SUBPROTOCOL};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header, request::Parts};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use sha1_smol::Sha1;

use crate::{
    body::Body,
    connection_info::ConnectionInfo,
    origin,
    request::Upgrade,
    route_info::Route,
    settings::HttpSettings,
    shutdown::Shutdown,
    streaming::{HandshakeRefusal, WebSocketTask, run_socket},
};

/// The value that a server appends to the client's key (RFC 6455 section 1.3).
const WEBSOCKET_GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// A valid handshake of a client.
pub(crate) struct Handshake {
    accept: HeaderValue,
    /// Whether the client offers the subprotocol of this server.
    subprotocol: bool,
}

impl Handshake {
    /// Checks a handshake.
    ///
    /// # Errors
    /// Returns `BODY_INVALID` with the name of the header that is wrong.
    pub(crate) fn read(headers: &HeaderMap) -> Result<Self> {
        if !has_token(headers, &header::UPGRADE, "websocket") || !has_token(headers, &header::CONNECTION, "upgrade") {
            return Err(invalid_handshake(
                "Upgrade",
                "this route is a WebSocket; send its handshake (Upgrade: websocket)",
            ));
        }
        if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
            return Err(invalid_handshake("Sec-WebSocket-Version", "the version of the WebSocket protocol must be 13"));
        }
        let key = headers.get(header::SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes).unwrap_or_default();
        if BASE64_STANDARD.decode(key).map_or(0, |key| key.len()) != 16 {
            return Err(invalid_handshake("Sec-WebSocket-Key", "the handshake's key must be 16 bytes in base64"));
        }
        let mut digest = Sha1::from(key);
        digest.update(WEBSOCKET_GUID.as_bytes());
        let accept = HeaderValue::from_str(&BASE64_STANDARD.encode(digest.digest().bytes()))
            .map_err(|error| Error::internal("ws.accept", error))?;
        Ok(Self { accept, subprotocol: has_token(headers, &header::SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL) })
    }

    /// Accepts the handshake. The connection continues as `socket`.
    ///
    /// # Errors
    /// Returns `BODY_INVALID` if the connection cannot be upgraded.
    pub(crate) fn accept(
        self,
        upgrade: Option<Upgrade>,
        shutdown: &Shutdown,
        socket: WebSocketTask,
    ) -> Result<Response<Body>> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, self.accept);
        if self.subprotocol {
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
        }
        match upgrade {
            Some(Upgrade::Own) => *response.body_mut() = Body::from_socket(socket),
            Some(Upgrade::Hyper(upgrade)) => {
                let hold = shutdown.hold();
                tokio::spawn(async move {
                    match upgrade.await {
                        Ok(io) => run_socket(TokioIo::new(io), Box::new(socket)).await,
                        Err(error) => tracing::debug!(%error, "a connection could not be upgraded to a WebSocket"),
                    }
                    drop(hold);
                });
            }
            None => return Err(invalid_handshake("Upgrade", "this connection cannot be upgraded; use HTTP/1.1")),
        }
        Ok(response)
    }
}

/// A handshake of a browser, kept until the request is accepted or refused.
pub(crate) struct BrowserHandshake {
    handshake: Handshake,
    upgrade: Upgrade,
    /// Whether the page's origin is that of the server, or is listed.
    allowed: bool,
}

impl BrowserHandshake {
    /// Returns the handshake of a request with an `Origin` to a WebSocket route.
    pub(crate) fn from_request(
        settings: &HttpSettings,
        info: Option<&ConnectionInfo>,
        route: &Route,
        parts: &Parts,
    ) -> Option<Self> {
        if route.doc.status != StatusCode::SWITCHING_PROTOCOLS.as_u16()
            || parts.method != Method::GET
            || !parts.headers.contains_key(header::ORIGIN)
        {
            return None;
        }
        let handshake = Handshake::read(&parts.headers).ok()?;
        let own = info.filter(|info| info.own).map(|_| Upgrade::Own);
        let upgrade = own.or_else(|| parts.extensions.get::<OnUpgrade>().cloned().map(Upgrade::Hyper))?;
        // Several origins count as none, because it is not clear which one is meant.
        let origin = origin::single_origin(&parts.headers).and_then(|origin| origin.to_str().ok());
        let allowed = origin.is_some_and(|origin| {
            settings.cors_origins.contains(origin) || origin::is_same_origin(info, parts, settings, origin)
        });
        Some(Self { handshake, upgrade, allowed })
    }

    /// Refuses a page whose origin may not open WebSockets.
    pub(crate) fn check_origin(&self) -> Result<()> {
        match self.allowed {
            true => Ok(()),
            false => Err(Error::new(
                Code::OriginForbidden,
                "ws.origin",
                "the page's origin is not listed in http.cors_origins",
            )),
        }
    }

    /// Accepts the handshake, and closes the socket with the reason of the refusal.
    pub(crate) fn refuse(self, shutdown: &Shutdown, error: &Error) -> Result<Response<Body>> {
        tracing::debug!(operation = error.operation(), code = %error.code(), "the WebSocket of a browser was refused");
        let socket = WebSocketTask::Refused(HandshakeRefusal::new(error));
        self.handshake.accept(Some(self.upgrade), shutdown, socket)
    }
}

fn invalid_handshake(field: &str, detail: &'static str) -> Error {
    Error::invalid_body("ws.accept", field, detail)
}

/// Returns whether the list in a header contains `token`, in any letter case.
fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|found| found.trim().eq_ignore_ascii_case(token))
}
