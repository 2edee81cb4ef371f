//! The listener: accepts connections within their limit and drives each until the server stops.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{App, connection, limits::RefusalLog, metrics::GaugeGuard};

/// How long to wait before accepting again when the process or the machine has run out of something, such as file descriptors.
const BACKOFF: Duration = Duration::from_millis(50);

/// Connections at once to the listener of the metrics.
const METRICS_CONNECTIONS: usize = 64;

/// Serves `app` on `listener` until its [`Shutdown`](crate::Shutdown) is thrown; then finishes what is in flight within the
/// grace period and returns. Returns whether everything was finished.
pub async fn serve(app: App, listener: TcpListener) -> bool {
    let places = Arc::new(Semaphore::new(app.settings().max_connections().clamp(1, Semaphore::MAX_PERMITS)));
    let mut connections = JoinSet::new();
    let failures = RefusalLog::default();
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            // Reaped as they end, so that the set holds open connections only.
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
                    tracing::warn!(%error, count, "cannot accept connections for the moment");
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

/// The next connection, once there is a place for it.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, place))
}

/// Errors of a peer that was gone before it was accepted, not of ours.
fn is_per_connection_error(error: &io::Error) -> bool {
    use io::ErrorKind as K;
    matches!(error.kind(), K::ConnectionRefused | K::ConnectionAborted | K::ConnectionReset | K::Interrupted)
}

/// Serves the metrics alone, to whoever reaches `listener`; for an address inside the deployment. More connections than
/// 64 wait to be accepted.
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
                tracing::warn!(%error, "cannot accept connections for metrics for the moment");
                sleep(BACKOFF).await;
            }
        }
    }
}
