//! A WebSocket: frames through the library, a session behind them, and the times that end it.

use std::{future::poll_fn, sync::Arc, task::Poll, time::Duration};

use bytes::Bytes;
use engines::{
    Clock, Limits, Timestamp,
    stream::ws::{CloseCode, Outgoing, Session},
};
use futures_util::{SinkExt, StreamExt};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::{Instant, sleep_until, timeout},
};
use tokio_websockets::{
    CloseCode as WsCode, Config, Error as WsError, Limits as WsLimits, Message, ServerBuilder, WebSocketStream,
};

use crate::{metrics::Held, shutdown::Shutdown};

/// Texts gathered before they are flushed together.
const BURST: usize = 32;
/// How long a closing socket waits for its peer's goodbye, and how much it reads meanwhile.
const FAREWELL: (Duration, u64) = (Duration::from_secs(2), 64 << 20);

/// A session with what it needs to run on a socket.
pub(crate) struct Socket {
    pub(crate) session: Session,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) shutdown: Shutdown,
    pub(crate) open: Held,
}

/// Why the conversation ended.
enum End {
    /// We close, with this code.
    Close(CloseCode),
    /// A frame was larger than allowed; the library has only seen its head.
    TooLarge,
    /// The peer has said goodbye, or is gone.
    Gone,
}

/// Runs a session until one side ends it.
pub(crate) async fn run_socket<S: AsyncRead + AsyncWrite + Unpin>(io: S, socket: Socket) {
    let Socket { mut session, clock, limits, shutdown, open: _open } = socket;
    let mut ws = ServerBuilder::new()
        .config(Config::default().frame_size(usize::MAX).flush_threshold(64 << 10))
        .limits(WsLimits::default().max_payload_len(Some(limits.frame_bytes)))
        .serve(io);
    let end = tokio::select! {
        end = converse(&mut ws, &mut session, &*clock, &limits) => end,
        () = shutdown.begun() => End::Close(CloseCode::GoingAway),
    };
    drop(session);
    match end {
        End::Close(code) => close(ws, code).await,
        End::TooLarge => refuse_frame(ws.into_inner()).await,
        End::Gone => {}
    }
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    ws: &mut WebSocketStream<S>,
    session: &mut Session,
    clock: &dyn Clock,
    limits: &Limits,
) -> End {
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
                    // The library answers pings and goodbyes itself.
                    Some(Ok(message)) => {
                        take(session, &message);
                        continue;
                    }
                    Some(Err(WsError::PayloadTooLong { .. })) => return End::TooLarge,
                    Some(Err(_)) | None => return End::Gone,
                }
            }
            outgoing = session.next() => Some(outgoing),
            () = sleep_until(wake) => None,
        };
        let sent = match outgoing {
            Some(first) => timeout(limits.ws_silence(), send(ws, session, first)).await,
            None if is_over(expires_at, clock) => return End::Close(CloseCode::Token),
            None if heard + limits.ws_silence() <= Instant::now() => return End::Close(CloseCode::Silent),
            None => {
                next_ping = Instant::now() + limits.ws_ping();
                timeout(limits.ws_silence(), async { ws.send(Message::ping(Bytes::new())).await.map(|()| None) }).await
            }
        };
        match sent {
            Ok(Ok(None)) => {}
            Ok(Ok(Some(code))) => return End::Close(code),
            Ok(Err(_)) => return End::Gone,
            Err(_) => return End::Close(CloseCode::Silent),
        }
    }
}

fn is_over(expires_at: Option<Timestamp>, clock: &dyn Clock) -> bool {
    expires_at.is_some_and(|end| end <= clock.now())
}

/// Hands a client's message to the session.
fn take(session: &mut Session, message: &Message) {
    if message.is_text() || message.is_binary() {
        session.receive(message.as_payload());
    }
}

/// Sends one text and what else is ready, with one flush. Returns the code if the session wants to close.
async fn send<S: AsyncRead + AsyncWrite + Unpin>(
    ws: &mut WebSocketStream<S>,
    session: &mut Session,
    first: Outgoing,
) -> Result<Option<CloseCode>, WsError> {
    let mut outgoing = first;
    for sent in 1.. {
        match outgoing {
            Outgoing::Text(text) => ws.feed(Message::text(text)).await?,
            Outgoing::Close(code) => {
                ws.flush().await?;
                return Ok(Some(code));
            }
        }
        if sent == BURST {
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

/// Says goodbye with a code and waits a little for the answer, so that the code arrives.
async fn close<S: AsyncRead + AsyncWrite + Unpin>(mut ws: WebSocketStream<S>, code: CloseCode) {
    let farewell = async {
        let code = WsCode::try_from(code.code()).unwrap_or(WsCode::INTERNAL_SERVER_ERROR);
        ws.send(Message::close(Some(code), "")).await?;
        while let Some(message) = ws.next().await {
            message?;
        }
        Ok::<_, WsError>(())
    };
    let _over = timeout(FAREWELL.0, farewell).await;
}

/// Closes with our code for a frame that was too large. The library has given up on the stream by now, so the four bytes of
/// the close frame (RFC 6455 section 5.5.1) are written here; then the rest of the frame is read and thrown away
/// for a while, because a connection reset would overtake them.
async fn refuse_frame<S: AsyncRead + AsyncWrite + Unpin>(mut io: S) {
    let [high, low] = CloseCode::TooLarge.code().to_be_bytes();
    let farewell = async {
        io.write_all(&[0x88, 2, high, low]).await?;
        io.flush().await?;
        tokio::io::copy(&mut (&mut io).take(FAREWELL.1), &mut tokio::io::sink()).await
    };
    let _over = timeout(FAREWELL.0, farewell).await;
    let _gone = io.shutdown().await;
}
