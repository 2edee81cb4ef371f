//! A WebSocket: frames of the library, the session, and the deadlines that end it.

use std::{future::poll_fn, sync::Arc, task::Poll, time::Duration};

use bytes::Bytes;
use engines::{
    Clock, Code, Error, ErrorKind, Limits, Timestamp,
    auth::{MonitoredSession, control::StreamPermit},
    stream::ws::{CloseCode, SocketAction, SocketSession},
};
use futures_util::{SinkExt, StreamExt};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite},
    time::{Instant, sleep_until, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error as WsError, Message, Utf8Bytes,
        error::CapacityError,
        protocol::{CloseFrame, Role, WebSocketConfig},
    },
};

use crate::{gauge_guard::GaugeGuard, shutdown::Shutdown};

/// Bytes that are collected before they are flushed together. The library allocates as many.
const WRITE_BUFFER_BYTES: usize = 16 << 10;
/// Bytes that the library reads at a time. Clients send little, and every open socket has such a buffer.
const READ_BUFFER_BYTES: usize = 256;
/// How long a closing socket waits for the close frame of its peer, and how many bytes it reads meanwhile.
const CLOSE_LIMITS: (Duration, u64) = (Duration::from_secs(2), 64 << 20);

/// The task that takes over a connection after the handshake.
#[expect(clippy::large_enum_variant, reason = "it is moved once, into the task of its connection")]
pub(crate) enum WebSocketTask {
    /// A session.
    Open(WebSocketSession),
    /// A close frame only, which tells a browser why its handshake is refused.
    Refused(HandshakeRefusal),
}

/// The reason for the refusal of a handshake.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HandshakeRefusal {
    code: CloseCode,
    reason: Code,
}

impl HandshakeRefusal {
    pub(crate) fn new(error: &Error) -> Self {
        Self { code: CloseCode::for_error(error), reason: error.code() }
    }
}

/// A session with the state that it needs to run on a socket.
pub(crate) struct WebSocketSession {
    pub(crate) session: SocketSession,
    /// The monitored credential of the caller. The session ends with it.
    pub(crate) watched: MonitoredSession,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) shutdown: Shutdown,
    /// Counts the socket while it is open.
    pub(crate) _open: (GaugeGuard, StreamPermit),
}

/// Runs a session until one side ends it, or sends the refusal.
pub(crate) async fn run_socket<S: AsyncRead + AsyncWrite + Unpin>(io: S, socket: Box<WebSocketTask>) {
    match *socket {
        WebSocketTask::Open(conversation) => run_session(io, Box::new(conversation)).await,
        WebSocketTask::Refused(HandshakeRefusal { code, reason }) => {
            let config =
                WebSocketConfig::default().read_buffer_size(READ_BUFFER_BYTES).write_buffer_size(READ_BUFFER_BYTES);
            let ws = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
            Box::pin(close_gracefully(ws, code, Some(reason))).await;
        }
    }
}

async fn run_session<S: AsyncRead + AsyncWrite + Unpin>(io: S, mut socket: Box<WebSocketSession>) {
    let most = Some(socket.limits.frame_bytes);
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_write_buffer_size(usize::MAX)
        .max_frame_size(most)
        .max_message_size(most);
    let mut ws = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
    let stop = socket.shutdown.clone();
    let WebSocketSession { session, watched, clock, limits, .. } = &mut *socket;
    let close = tokio::select! {
        close = run_messages(&mut ws, session, clock, limits) => close,
        () = stop.begun() => Some(CloseCode::GoingAway),
        error = watched => Some(match error.kind() {
            ErrorKind::Unauthenticated => CloseCode::CredentialInvalid,
            ErrorKind::Forbidden => CloseCode::Forbidden,
            // The validity of the credential is not known. The client should reconnect to another node.
            _ => CloseCode::GoingAway,
        }),
    };
    drop(socket);
    if let Some(code) = close {
        let reason = match code {
            CloseCode::LimitExceeded => Some(Code::RateLimited),
            CloseCode::GoingAway if stop.has_begun() => Some(Code::ShuttingDown),
            _ => None,
        };
        // This is rare and short, so its state is not a part of every socket's task.
        Box::pin(close_gracefully(ws, code, reason)).await;
    }
}

/// Exchanges messages until the server closes, with the returned code, or the peer has sent a close frame or
/// disconnected.
async fn run_messages<S: AsyncRead + AsyncWrite + Unpin>(
    ws: &mut WebSocketStream<S>,
    session: &mut SocketSession,
    clock: &Arc<dyn Clock>,
    limits: &Limits,
) -> Option<CloseCode> {
    let clock = &**clock;
    let expires_at = session.context().expires_at();
    let mut heard = Instant::now();
    let mut next_ping = heard + limits.ws_ping();
    loop {
        let expiry = expires_at.map(|end| Instant::now() + end.since(clock.now()));
        let wake = expiry.map_or(next_ping, |expiry| expiry.min(next_ping)).min(heard + limits.ws_silence());
        let outgoing = tokio::select! {
            biased;
            incoming = ws.next(), if session.is_ready() => {
                heard = Instant::now();
                match incoming {
                    // The library responds to pings and close frames itself.
                    Some(Ok(message)) => {
                        handle_message(session, &message);
                        continue;
                    }
                    Some(Err(WsError::Capacity(CapacityError::MessageTooLong { .. }))) => {
                        return Some(CloseCode::TooLarge);
                    }
                    Some(Err(_)) | None => return None,
                }
            }
            outgoing = session.next() => Some(outgoing),
            () = sleep_until(wake) => None,
        };
        // A peer that does not read must not keep its connection beyond the end of its credential.
        let left = expires_at.map(|end| end.since(clock.now()));
        let patience = left.map_or(limits.ws_silence(), |left| left.min(limits.ws_silence()));
        let sent = match outgoing {
            Some(first) => timeout(patience, send(ws, session, first)).await,
            None if is_over(expires_at, clock) => return Some(CloseCode::CredentialInvalid),
            None if heard + limits.ws_silence() <= Instant::now() => return Some(CloseCode::IdleTimeout),
            None => {
                next_ping = Instant::now() + limits.ws_ping();
                timeout(patience, async { ws.send(Message::Ping(Bytes::new())).await.map(|()| None) }).await
            }
        };
        match sent {
            Ok(Ok(None)) => {}
            Ok(Ok(Some(code))) => return Some(code),
            Ok(Err(_)) => return None,
            Err(_) if is_over(expires_at, clock) => return Some(CloseCode::CredentialInvalid),
            Err(_) => return Some(CloseCode::IdleTimeout),
        }
    }
}

fn is_over(expires_at: Option<Timestamp>, clock: &dyn Clock) -> bool {
    expires_at.is_some_and(|end| end <= clock.now())
}

/// Passes a client's message to the session.
fn handle_message(session: &mut SocketSession, message: &Message) {
    match message {
        Message::Text(text) => session.receive(text.as_bytes()),
        Message::Binary(bytes) => session.receive(bytes),
        _ => {}
    }
}

/// Sends one text, and others that are ready, with one flush. Returns the code if the session closes.
async fn send<S: AsyncRead + AsyncWrite + Unpin>(
    ws: &mut WebSocketStream<S>,
    session: &mut SocketSession,
    first: SocketAction,
) -> Result<Option<CloseCode>, WsError> {
    let (mut outgoing, mut gathered) = (first, 0);
    loop {
        match outgoing {
            SocketAction::Text(text) => {
                gathered += text.len();
                let text = Utf8Bytes::try_from(text).map_err(|_| WsError::AttackAttempt)?;
                ws.feed(Message::Text(text)).await?;
            }
            SocketAction::Close(code) => {
                ws.flush().await?;
                return Ok(Some(code));
            }
        }
        if gathered >= WRITE_BUFFER_BYTES {
            break;
        }
        match poll_fn(|cx| Poll::Ready(session.poll_next(cx))).await {
            Poll::Ready(more) => outgoing = more,
            Poll::Pending => break,
        }
    }
    ws.flush().await?;
    Ok(None)
}

/// Sends a close frame with a code, and then reads and discards input for a limited time. A connection that is reset
/// while the peer still sends would lose the code.
async fn close_gracefully<S: AsyncRead + AsyncWrite + Unpin>(
    mut ws: WebSocketStream<S>,
    code: CloseCode,
    reason: Option<Code>,
) {
    let goodbye = async {
        let reason = reason.map_or_else(Utf8Bytes::default, |reason| Utf8Bytes::from_static(reason.as_str()));
        let frame = CloseFrame { code: code.number().into(), reason };
        ws.send(Message::Close(Some(frame))).await?;
        tokio::io::copy(&mut ws.get_mut().take(CLOSE_LIMITS.1), &mut tokio::io::sink()).await?;
        Ok::<_, WsError>(())
    };
    let _over = timeout(CLOSE_LIMITS.0, goodbye).await;
}
