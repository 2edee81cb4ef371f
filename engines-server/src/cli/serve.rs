//! `serve`: starts the server, and stops it on a signal.

use std::{collections::BTreeMap, io, net::SocketAddr, process::ExitCode, time::Duration};

use engines::Engine;
use tokio::{
    net::{TcpListener, TcpSocket},
    signal::unix::{SignalKind, signal},
    time::{Instant, timeout},
};

use super::{
    ServeArgs, backup::serve_requests, data_dir::DataDir, engine_setup::build_engine, error::CliError,
    runtime::block_on,
};
use crate::{
    App,
    config::{self, Settings, StoreKind},
    descriptors, listen, log,
};

pub(super) fn run(args: &ServeArgs, variables: &BTreeMap<String, String>) -> Result<ExitCode, CliError> {
    let settings = config::load(&args.flags(), variables)?;
    log::init(&settings)?;
    let secret = config::signing_secret(&settings, variables)?.ok_or_else(|| {
        let (variable, file) = (config::SIGNING_SECRET, config::SIGNING_SECRET_FILE);
        format!("there is no signing secret: set {variable} (at least 32 bytes) or {file}; `engines-server dev` makes one for you")
    })?;
    let data = match settings.store {
        StoreKind::Sqlite => Some(DataDir::open(&settings)?),
        StoreKind::Memory => None,
    };
    block_on(async {
        let listener = bind(settings.listen).await?;
        let engine = build_engine(&settings, secret, data.as_ref(), variables).await?;
        serve(&settings, engine, listener).await
    })
}

/// The least time for closing the engine after requests have used up the grace period. A checkpoint takes a fraction of
/// a second.
const MIN_CLOSE_TIME: Duration = Duration::from_secs(3);

/// Connections that may wait to be accepted. The system's own limit applies too. It is large because many clients
/// reconnect at once after a restart.
const BACKLOG: u32 = 4096;

fn listener(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // `TcpListener::bind` does the same. A restart must not wait until the system forgets old connections.
    socket.set_reuseaddr(cfg!(unix))?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Binds a listener. Its error says what to do.
pub(super) async fn bind(address: SocketAddr) -> Result<TcpListener, CliError> {
    listener(address).map_err(|error| {
        match error.kind() {
            io::ErrorKind::AddrInUse => {
                format!(
                    "{address} is in use: stop the program that listens there, or name another address with --listen"
                )
            }
            io::ErrorKind::PermissionDenied => format!("no permission to listen on {address}; try a port over 1023"),
            _ => format!("cannot listen on {address}: {error}"),
        }
        .into()
    })
}

/// Serves until a signal. A second signal ends the server at once.
pub(super) async fn serve(settings: &Settings, engine: Engine, listener: TcpListener) -> Result<ExitCode, CliError> {
    let mut http = settings.http.clone();
    descriptors::apply_descriptor_limit(&mut http);
    let app = App::builder(engine.clone()).settings(http).build()?;
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let metrics = match settings.metrics.listen {
        Some(address) => Some(tokio::spawn(listen::metrics(app.clone(), bind(address).await?))),
        None => None,
    };
    let requests = match settings.store {
        StoreKind::Sqlite => {
            let folder = DataDir::open(settings)?.requests()?;
            Some(tokio::spawn(serve_requests(engine.clone(), folder)))
        }
        StoreKind::Memory => None,
    };
    tracing::info!(address = %listener.local_addr()?, version = env!("CARGO_PKG_VERSION"), "listening");
    let mut serving = tokio::spawn(listen::serve(app.clone(), listener));
    let signalled = async || {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    let mut signalled = signalled;
    tokio::select! {
        () = signalled() => {}
        ended = &mut serving => {
            ended?;
            return Err("the listener ended unexpectedly".into());
        }
    }
    tracing::info!(grace_s = settings.http.shutdown_grace_s, "stopping; a second signal stops at once");
    let begun = Instant::now();
    app.shutdown().begin();
    let finished = tokio::select! {
        finished = &mut serving => finished?,
        () = signalled() => {
            tracing::warn!("stopped at once");
            return Ok(ExitCode::FAILURE);
        }
    };
    if let Some(metrics) = metrics {
        metrics.abort();
    }
    if let Some(requests) = requests {
        requests.abort();
    }
    let rest = settings.http.shutdown_grace().saturating_sub(begun.elapsed()).max(MIN_CLOSE_TIME);
    if timeout(rest, engine.shutdown()).await.is_err() {
        tracing::error!(
            "the store does not respond, so the server ends without closing it; the next start recovers acknowledged writes"
        );
        // Dropping the store would wait for its threads, which hang.
        std::mem::forget(engine);
        return Ok(ExitCode::FAILURE);
    }
    if !finished {
        tracing::warn!("the grace period ended before all requests were finished");
    }
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}
