//! Accepts a connection into its budgets, detects its version of HTTP, and serves it.

use std::{io, net::SocketAddr, sync::Arc};

use bytes::{Bytes, BytesMut};
use http::{Request, StatusCode};
use hyper::{body::Incoming, server::conn::http1 as hyper_http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{io::AsyncReadExt, net::TcpStream, time::timeout};

use super::{http1, http2, refusal::refuse};
use crate::{
    App,
    connection_info::ConnectionState,
    deadline_io::{DeadlineIo, WriteDeadline},
    limits::{EvictionClass, Resource},
    media_types, response, socket_options,
};

/// The beginning of an HTTP/2 connection without TLS (RFC 9113 section 3.4). No HTTP/1 request begins with these bytes.
const HTTP2_PREFACE: &[u8; 4] = b"PRI ";

/// Serves one connection. `place` is released when the connection ends, also if a stream in a task of its own continues
/// it.
pub(crate) async fn drive(app: App, stream: TcpStream, peer: SocketAddr, permit: impl Send + Unpin + 'static) {
    socket_options::prepare(&stream, app.settings());
    let address = peer.ip().to_canonical();
    // A proxy has the connections of all its clients.
    let usage = (!app.settings().trusts(&address)).then(|| app.budgets().usage(address));
    let Some(usage) = usage else {
        return serve(&app, stream, peer, Arc::new(ConnectionState::new(None, None)), permit).await;
    };
    let Ok(share) = app.budgets().acquire(Resource::Connections, Some(&usage), 1) else {
        return refuse(&app, stream).await;
    };
    let (unfinished, mut evicted) = app.budgets().start_work(EvictionClass::AnonymousConnection, Some(&usage));
    let state = Arc::new(ConnectionState::new(Some(usage), Some(unfinished)));
    tokio::select! {
        () = serve(&app, stream, peer, state, (permit, share)) => {}
        () = evicted.wait() => tracing::debug!("a connection without an authenticated request was closed for a newer one"),
    }
}

async fn serve(
    app: &App,
    mut stream: TcpStream,
    peer: SocketAddr,
    state: Arc<ConnectionState>,
    permit: impl Send + Unpin + 'static,
) {
    let first = tokio::select! {
        first = timeout(app.settings().head_timeout(), read_preface(&mut stream)) => first,
        // No request has arrived yet, so nothing is lost.
        () = app.shutdown().begun() => return,
    };
    let ended = match first {
        Ok(Ok(prefix)) => {
            let speaks_http2 = prefix[..] == HTTP2_PREFACE[..];
            let io = DeadlineIo::new(prefix, stream, WriteDeadline::new(app.settings(), app.shutdown()));
            if speaks_http2 {
                http2::serve(app, io, peer, &state).await
            } else {
                http1::serve(app, io, peer, &state).await.map(|taken| {
                    if let Some(taken) = taken {
                        taken.run((permit, app.shutdown().hold()));
                    }
                })
            }
        }
        Ok(Err(error)) => Err(error.into()),
        Err(_) => return,
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "connection");
    }
}

/// Reads the first bytes, until they are the preface of HTTP/2 or differ from it.
async fn read_preface(stream: &mut TcpStream) -> io::Result<Bytes> {
    let mut first = BytesMut::with_capacity(HTTP2_PREFACE.len());
    loop {
        let mut rest = (&mut *stream).take((HTTP2_PREFACE.len() - first.len()) as u64);
        let read = rest.read_buf(&mut first).await?;
        if read == 0 || !HTTP2_PREFACE.starts_with(&first) || first.len() == HTTP2_PREFACE.len() {
            return Ok(first.freeze());
        }
    }
}

/// Serves one connection to the listener of metrics. Every request gets the metrics.
pub(crate) async fn metrics(app: App, stream: TcpStream) {
    socket_options::prepare(&stream, app.settings());
    let timeout = app.settings().head_timeout();
    let io = DeadlineIo::new(Bytes::new(), stream, WriteDeadline::new(app.settings(), app.shutdown()));
    let answer = service_fn(move |_: Request<Incoming>| {
        let text = app.metrics().encode();
        async move { text.map(|text| response::with_body(StatusCode::OK, media_types::OPENMETRICS, text)) }
    });
    let connection = hyper_http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(timeout)
        .serve_connection(TokioIo::new(io), answer);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "connection for metrics");
    }
}
