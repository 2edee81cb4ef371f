//! One TCP connection, from its first byte to its last.

use std::{
    future::{pending, poll_fn},
    net::SocketAddr,
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
    time::UNIX_EPOCH,
};

use bytes::Bytes;
use engines::Clock;
use http::{Request, StatusCode, Version, response::Parts};
use hyper::{
    body::{Body as HttpBody, Incoming},
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    time::{Duration, sleep, timeout},
};

use crate::{
    App,
    address::Line,
    body::Live,
    head_timer::{Alarm, HeadTimer},
    live::{EventSender, Prefixed, run_socket},
    metrics, reply,
};

/// What an HTTP/2 connection without TLS begins with (RFC 9113 section 3.4), as far as no HTTP/1 request does.
const PREFACE: &[u8; 4] = b"PRI ";

/// Drives one connection: HTTP/2 where it begins with its preface, else HTTP/1. `place` is given up when the connection ends,
/// also where it goes on as a stream in a task of its own.
pub(crate) async fn drive(app: App, stream: TcpStream, peer: SocketAddr, place: impl Send + Unpin + 'static) {
    // Answers are written whole; waiting for more only delays them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "TCP_NODELAY");
    }
    let first = tokio::select! {
        first = timeout(app.settings().head_timeout(), speaks_http2(&stream)) => first,
        // Nothing was asked yet, so nothing is lost.
        () = app.shutdown().begun() => return,
    };
    let ended = match first {
        Ok(Ok(true)) => http2(&app, stream, peer).await,
        Ok(Ok(false)) => match http1(&app, stream, peer).await {
            Ok(Some(taken)) => {
                taken.go_on((place, app.shutdown().hold()));
                Ok(())
            }
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        },
        Ok(Err(error)) => Err(error.into()),
        Err(_) => return,
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "connection");
    }
}

type Ended<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// A connection that has left HTTP.
struct Taken {
    stream: TcpStream,
    /// What the client sent behind its request.
    rest: Bytes,
    head: Bytes,
    live: Live,
}

impl Taken {
    /// Goes on in a task of its own, because this one's room is that of a whole HTTP connection; each kind in one that
    /// fits it. `place` is given up at its end.
    fn go_on(self, place: impl Send + Unpin + 'static) {
        let Self { mut stream, rest, head, live } = self;
        match live {
            Live::Events(body) => drop(tokio::spawn(EventSender::new(stream, head, body, place))),
            Live::Socket(socket) => drop(tokio::spawn(async move {
                if stream.write_all(&head).await.is_ok() {
                    drop(head);
                    run_socket(Prefixed::new(rest, stream), socket).await;
                }
                drop(place);
            })),
        }
    }
}

async fn http1(app: &App, stream: TcpStream, peer: SocketAddr) -> Ended<Option<Taken>> {
    let settings = app.settings();
    // Where an answer waits that wants the connection itself; the request's future then never ends.
    let answer: Mutex<Option<(Parts, Live)>> = Mutex::new(None);
    let answer = Arc::new(answer);
    let line = Line::new(peer);
    let service = service_fn(|request: Request<Incoming>| {
        let (app, answer) = (app.clone(), Arc::clone(&answer));
        let own = request.version() == Version::HTTP_11 && request.body().is_end_stream();
        let line = line.taken_by_streams(own);
        async move {
            let mut response = app.handle_on(&line, request).await;
            if let Some(live) = own.then(|| response.body_mut().take_live()).flatten() {
                let (parts, _) = response.into_parts();
                *answer.lock().unwrap_or_else(PoisonError::into_inner) = Some((parts, live));
                return pending().await;
            }
            Ok::<_, std::convert::Infallible>(response)
        }
    });
    let (timer, mut alarm) = (HeadTimer::default(), Alarm::None);
    let mut connection = http1::Builder::new()
        .timer(timer.clone())
        .header_read_timeout(settings.head_timeout())
        .max_header_size(settings.head_bytes)
        .serve_connection(TokioIo::new(stream), service);
    let mut begun = pin!(app.shutdown().begun());
    let mut stopping = false;
    let taken = poll_fn(|cx| {
        if !stopping && begun.as_mut().poll(cx).is_ready() {
            stopping = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
        let mut ended = Pin::new(&mut connection).poll(cx);
        if ended.is_pending() && timer.poll(&mut alarm, cx) {
            ended = Pin::new(&mut connection).poll(cx);
        }
        match answer.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(taken) => Poll::Ready(Ok(Some(taken))),
            None => ended.map_ok(|()| None),
        }
    })
    .await?;
    Ok(taken.map(|(parts, live)| {
        let connection = connection.into_parts();
        let head = head(&parts, app.engine().guard().clock().as_ref());
        // An empty rest still holds on to hyper's whole buffer.
        let rest = if connection.read_buf.is_empty() { Bytes::new() } else { connection.read_buf };
        Taken { stream: connection.io.into_inner(), rest, head, live }
    }))
}

/// The head of an answer that is written without hyper (RFC 9112 section 4).
fn head(parts: &Parts, clock: &dyn Clock) -> Bytes {
    let mut text = format!("HTTP/1.1 {}\r\n", parts.status).into_bytes();
    let mut line = |name: &[u8], value: &[u8]| {
        for part in [name, b": ", value, b"\r\n"] {
            text.extend_from_slice(part);
        }
    };
    for (name, value) in &parts.headers {
        line(name.as_str().as_bytes(), value.as_bytes());
    }
    let now = UNIX_EPOCH + Duration::from_millis(u64::try_from(clock.now().as_millis()).unwrap_or(0));
    line(b"date", httpdate::fmt_http_date(now).as_bytes());
    if parts.status != StatusCode::SWITCHING_PROTOCOLS {
        // The end of the connection is the end of the answer.
        line(b"connection", b"close");
    }
    text.extend_from_slice(b"\r\n");
    text.into()
}

async fn http2(app: &App, stream: TcpStream, peer: SocketAddr) -> Ended {
    let settings = app.settings();
    let line = Line::new(peer);
    let service = service_fn(|request: Request<Incoming>| {
        let (app, line) = (app.clone(), line.clone());
        async move { Ok::<_, std::convert::Infallible>(app.handle_on(&line, request).await) }
    });
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(settings.h2_streams)
        .max_header_list_size(u32::try_from(settings.head_bytes).unwrap_or(u32::MAX))
        .keep_alive_interval(settings.head_timeout())
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return Ok(ended?),
        () = app.shutdown().begun() => connection.as_mut().graceful_shutdown(),
    }
    Ok(connection.await?)
}

/// Looks at the first bytes without taking them.
async fn speaks_http2(stream: &TcpStream) -> std::io::Result<bool> {
    let mut first = [0; PREFACE.len()];
    loop {
        let seen = stream.peek(&mut first).await?;
        if seen == 0 || !PREFACE.starts_with(&first[..seen]) {
            return Ok(false);
        }
        if seen == PREFACE.len() {
            return Ok(true);
        }
        // Peeking does not wait for more than there is; a preface in pieces is rare.
        sleep(Duration::from_millis(5)).await;
    }
}

/// One connection to the listener of the metrics: whatever is asked, they are the answer.
pub(crate) async fn metrics(app: App, stream: TcpStream) {
    let timeout = app.settings().head_timeout();
    let answer = service_fn(move |_: Request<Incoming>| {
        let text = app.metrics().encode();
        async move { text.map(|text| reply::text_of(StatusCode::OK, metrics::MEDIA_TYPE, text)) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(timeout)
        .serve_connection(TokioIo::new(stream), answer);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "connection for metrics");
    }
}
