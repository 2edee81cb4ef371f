//! A WebSocket, from its handshake to its close: carries a session's texts, pings, and knows when it is over.

use std::time::Duration;

use bytes::Bytes;
use engines::stream::ws::{CloseCode, Outgoing, Session};
use futures_util::{FutureExt, SinkExt, StreamExt};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, sleep_until, timeout},
};
use tokio_websockets::{Error, Limits, Message, ServerBuilder, WebSocketStream};

use crate::{App, metrics::Held};

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Texts sent before they are flushed, if so many wait.
const GATHER: usize = 64;
/// How long a peer gets to answer our close before the connection ends.
const FAREWELL: Duration = Duration::from_secs(2);

/// Drives a socket once its handshake has been answered.
pub(crate) async fn drive(app: App, upgrade: OnUpgrade, session: Session) {
    let _hold = (app.shutdown().hold(), Held::new(&app.metrics().streams));
    let upgraded = match timeout(app.settings().head_timeout(), upgrade).await {
        Ok(Ok(upgraded)) => upgraded,
        Ok(Err(error)) => return tracing::debug!(%error, "a WebSocket was not taken over"),
        Err(_) => return,
    };
    let limit = app.engine().limits().frame_bytes;
    let limits = Limits::default().max_payload_len(Some(limit));
    let socket = ServerBuilder::new().limits(limits).serve(TokioIo::new(upgraded));
    match run(&app, socket, session).await {
        Over::Gone => {}
        Over::Close(mut socket, code) => {
            let code = tokio_websockets::CloseCode::try_from(code.code()).ok();
            let closing = async {
                socket.send(Message::close(code, "")).await?;
                while socket.next().await.transpose()?.is_some() {}
                Ok::<_, Error>(())
            };
            let _ = timeout(FAREWELL, closing).await;
        }
        Over::TooLarge(socket) => {
            let _ = timeout(FAREWELL, too_large(socket.into_inner())).await;
        }
    }
}

/// How it ended.
enum Over {
    /// The peer closed, or its connection broke.
    Gone,
    /// We close.
    Close(Box<Socket>, CloseCode),
    /// The peer sent more than a frame may have; the codec will read no further.
    TooLarge(Box<Socket>),
}

async fn run(app: &App, socket: Socket, mut session: Session) -> Over {
    let mut socket = Box::new(socket);
    let limits = app.engine().limits();
    let (ping, silence) = (limits.ws_ping(), limits.ws_silence());
    let now = Instant::now();
    let ends = session.context().expires_at().map(|at| now + at.since(app.engine().guard().clock().now()));
    let (mut heard, mut next_ping) = (now, now + ping);
    let begun = app.shutdown().begun();
    tokio::pin!(begun);
    loop {
        let due = ends.map_or(next_ping, |ends| ends.min(next_ping));
        tokio::select! {
            outgoing = session.next() => {
                let mut outgoing = Some(outgoing);
                let mut gathered = 0;
                while let Some(next) = outgoing {
                    let sent = match next {
                        Outgoing::Text(text) => timeout(silence, socket.feed(Message::text(text))).await,
                        Outgoing::Close(code) => return Over::Close(socket, code),
                    };
                    if !matches!(sent, Ok(Ok(()))) {
                        return Over::Gone;
                    }
                    gathered += 1;
                    outgoing = if gathered < GATHER { session.next().now_or_never() } else { None };
                }
                if !matches!(timeout(silence, socket.flush()).await, Ok(Ok(()))) {
                    return Over::Gone;
                }
            }
            message = socket.next(), if session.is_ready() => match message {
                Some(Ok(message)) => {
                    heard = Instant::now();
                    if message.is_text() {
                        session.receive(message.as_payload());
                    } else if message.is_binary() {
                        // The subprotocol is text; what else comes is answered as the malformed text it is.
                        session.receive(b"");
                    } else if message.is_close() {
                        let _ = timeout(FAREWELL, socket.flush()).await;
                        return Over::Gone;
                    }
                }
                Some(Err(Error::PayloadTooLong { .. })) => return Over::TooLarge(socket),
                Some(Err(_)) => {
                    // The codec has queued the close that a protocol error asks for.
                    let _ = timeout(FAREWELL, socket.flush()).await;
                    return Over::Gone;
                }
                None => return Over::Gone,
            },
            () = sleep_until(due) => {
                let now = Instant::now();
                if ends.is_some_and(|ends| ends <= now) {
                    return Over::Close(socket, CloseCode::Token);
                }
                if now.duration_since(heard) >= silence {
                    return Over::Close(socket, CloseCode::Silent);
                }
                next_ping = now + ping;
                if !matches!(timeout(silence, socket.send(Message::ping(Bytes::new()))).await, Ok(Ok(()))) {
                    return Over::Gone;
                }
            }
            () = &mut begun => return Over::Close(socket, CloseCode::GoingAway),
        }
    }
}

/// Closes with our own code where the codec would use 1009, and lets the peer finish what it was sending, so that it sees the close
/// rather than a reset.
async fn too_large(mut io: TokioIo<Upgraded>) -> std::io::Result<()> {
    let [high, low] = CloseCode::TooLarge.code().to_be_bytes();
    io.write_all(&[0x88, 2, high, low]).await?;
    io.flush().await?;
    let mut sink = [0; 8192];
    while io.read(&mut sink).await? > 0 {}
    Ok(())
}
