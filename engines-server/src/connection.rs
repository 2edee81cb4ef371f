//! One TCP connection, from its first byte to its last.

use std::{net::SocketAddr, pin::pin};

use http::{Request, StatusCode};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    net::TcpStream,
    time::{Duration, sleep, timeout},
};

use crate::{App, metrics, reply};

/// What an HTTP/2 connection without TLS begins with (RFC 9113 section 3.4), as far as no HTTP/1 request does.
const PREFACE: &[u8; 4] = b"PRI ";

/// Drives one connection: HTTP/2 where it begins with its preface, else HTTP/1.
pub(crate) async fn drive(app: App, stream: TcpStream, peer: SocketAddr) {
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
        Ok(Ok(true)) => http2(&app, stream).await,
        Ok(Ok(false)) => http1(&app, stream).await,
        Ok(Err(error)) => Err(error.into()),
        Err(_) => return,
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "connection");
    }
}

type Ended = Result<(), Box<dyn std::error::Error + Send + Sync>>;

async fn http1(app: &App, stream: TcpStream) -> Ended {
    let settings = app.settings();
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.head_timeout())
        .max_header_size(settings.head_bytes)
        .serve_connection(TokioIo::new(stream), app.clone())
        .with_upgrades();
    let mut connection = pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return Ok(ended?),
        () = app.shutdown().begun() => connection.as_mut().graceful_shutdown(),
    }
    Ok(connection.await?)
}

async fn http2(app: &App, stream: TcpStream) -> Ended {
    let settings = app.settings();
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(settings.h2_streams)
        .max_header_list_size(u32::try_from(settings.head_bytes).unwrap_or(u32::MAX))
        .keep_alive_interval(settings.head_timeout())
        .serve_connection(TokioIo::new(stream), app.clone());
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
