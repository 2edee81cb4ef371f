//! The listener. It accepts connections within their limit and serves each until the server stops.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{App, connection, gauge_guard::GaugeGuard, limits::RefusalLog};

/// How long to wait before the next connection is accepted after the process or the machine has run out of a resource,
/// such as file descriptors.
const BACKOFF: Duration = Duration::from_millis(50);

/// Connections to the listener of metrics that may be open at the same time.
const METRICS_CONNECTIONS: usize = 64;

/// Serves `app` on `listener` until its [`Shutdown`](crate::Shutdown) begins, and then finishes what is in progress
/// within the grace period. Returns whether everything was finished.
pub async fn serve(app: App, listener: TcpListener) -> bool {
    let places = Arc::new(Semaphore::new(app.settings().max_connections().clamp(1, Semaphore::MAX_PERMITS)));
    let mut connections = JoinSet::new();
    let failures = RefusalLog::default();
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            // Connections are removed as they end, so that the set holds only open ones.
            Some(_) = connections.join_next() => continue,
            () = app.shutdown().begun() => break,
        };
        match accepted {
            Ok((stream, peer, place)) => {
                let app = app.clone();
                connections.spawn(async move {
                    let open = (place, GaugeGuard::new(&app.metrics().connections));
                    connection::drive(app, stream, peer, open).await;
                });
            }
            Err(error) if is_per_connection_error(&error) => {}
            Err(error) => {
                if let Some(count) = failures.count() {
                    tracing::warn!(%error, count, "connections cannot be accepted now");
                }
                sleep(BACKOFF).await;
            }
        }
    }
    drop(listener);
    app.engine().close_streams();
    let all = async {
        while connections.join_next().await.is_some() {}
        app.shutdown().drained().await;
    };
    timeout(app.settings().shutdown_grace(), all).await.is_ok()
}

/// Waits for a place, and accepts the next connection.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, place))
}

/// Returns whether an error concerns a peer that left before it was accepted, and not the listener.
fn is_per_connection_error(error: &io::Error) -> bool {
    use io::ErrorKind as K;
    matches!(error.kind(), K::ConnectionRefused | K::ConnectionAborted | K::ConnectionReset | K::Interrupted)
}

/// Serves the metrics without a credential. `listener` should have an address inside the deployment. If 64 connections
/// are open, further ones wait to be accepted.
pub async fn metrics(app: App, listener: TcpListener) {
    let places = Arc::new(Semaphore::new(METRICS_CONNECTIONS));
    loop {
        match accept(&listener, &places).await {
            Ok((stream, _, place)) => {
                let app = app.clone();
                tokio::spawn(async move {
                    connection::metrics(app, stream).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "connections for metrics cannot be accepted now");
                sleep(BACKOFF).await;
            }
        }
    }
}
