//! The connection of a request: its peer, and the budgets that it holds.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use http::request::Parts;

use crate::limits::{AddressUsage, WorkGuard};

/// The peer address of the connection. The server's own listener puts it into the extensions of each request. A service
/// that mounts the app must do the same, otherwise limits per address do not apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// The connection of a request, of the server's own listener or of another HTTP service.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionInfo {
    pub(crate) peer: IpAddr,
    /// The peer as text, formatted once for all requests of the connection.
    pub(crate) text: Arc<str>,
    /// Whether a response that is a stream takes over the connection.
    pub(crate) own: bool,
    /// The budgets that the connection holds, if it belongs to the server's own listener.
    pub(crate) connection: Option<Arc<ConnectionState>>,
}

/// The budgets that a connection holds, shared with its requests.
#[derive(Debug)]
pub(crate) struct ConnectionState {
    /// The usage of the peer's address. `None` for trusted proxies, which have many clients.
    pub(crate) usage: Option<Arc<AddressUsage>>,
    authenticated: AtomicBool,
    /// The place among the connections without an authenticated request.
    anonymous: Mutex<Option<WorkGuard>>,
}

impl ConnectionInfo {
    pub(crate) fn new(peer: SocketAddr) -> Self {
        let peer = peer.ip().to_canonical();
        Self { peer, text: peer.to_string().into(), own: false, connection: None }
    }

    /// Creates the information about a connection of the server's own listener.
    pub(crate) fn with_state(peer: SocketAddr, connection: Arc<ConnectionState>) -> Self {
        Self { connection: Some(connection), ..Self::new(peer) }
    }

    /// Records that a request on this connection had a valid credential.
    pub(crate) fn mark_authenticated(&self) {
        if let Some(connection) = &self.connection {
            connection.mark_authenticated();
        }
    }

    /// Returns whether this is a connection of the server's own listener.
    pub(crate) fn is_from_listener(&self) -> bool {
        self.connection.is_some()
    }

    /// Returns a copy for a request whose response may take over the connection if `own` is true.
    pub(crate) fn for_streams(&self, own: bool) -> Self {
        Self { own, ..self.clone() }
    }

    /// Returns the connection of a request in another HTTP service, which has put its [`Peer`] into the extensions.
    pub(crate) fn from_parts(parts: &Parts) -> Option<Self> {
        parts.extensions.get().map(|Peer(peer)| Self::new(*peer))
    }
}

impl ConnectionState {
    pub(crate) fn new(usage: Option<Arc<AddressUsage>>, anonymous: Option<WorkGuard>) -> Self {
        Self { usage, authenticated: AtomicBool::new(anonymous.is_none()), anonymous: Mutex::new(anonymous) }
    }

    /// Records that a request had a valid credential. From now on, the connection is not evicted.
    pub(crate) fn mark_authenticated(&self) {
        if !self.authenticated.swap(true, Ordering::Relaxed) {
            drop(self.anonymous.lock().unwrap_or_else(PoisonError::into_inner).take());
        }
    }
}
