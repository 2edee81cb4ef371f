//! The client address of a request, as far as it can be trusted.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use http::request::Parts;
use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::{
    connection::ConnectionState,
    limits::{AddressUsage, Budgets},
    settings::HttpSettings,
};

/// The peer address of the connection. The server's own listener puts it into the extensions of each request. A service
/// that mounts the app must do the same, otherwise limits per address do not apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// The header in which a trusted proxy names the client. Only one header is read, because a proxy that writes one may
/// pass the other on as the client sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`, which most proxies write.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// The connection of a request, of the server's own listener or of another HTTP service.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionInfo {
    peer: IpAddr,
    /// The peer as text, formatted once for all requests of the connection.
    text: Arc<str>,
    /// Whether a response that is a stream takes over the connection.
    pub(crate) own: bool,
    /// The budgets that the connection holds, if it belongs to the server's own listener.
    connection: Option<Arc<ConnectionState>>,
}

/// The client of a request.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) address: IpAddr,
    pub(crate) text: Arc<str>,
    /// The usage of the address, if it is the peer of a connection of the server's own listener.
    usage: Option<Arc<AddressUsage>>,
}

impl Client {
    /// Returns the usage of the address in `budgets`.
    pub(crate) fn usage(&self, budgets: &Budgets) -> Arc<AddressUsage> {
        self.usage.clone().unwrap_or_else(|| budgets.usage(self.address))
    }
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

    /// Returns the address of the peer.
    pub(crate) fn peer(&self) -> IpAddr {
        self.peer
    }

    fn from_parts(parts: &Parts) -> Option<Self> {
        parts.extensions.get().map(|Peer(peer)| Self::new(*peer))
    }
}

/// Returns the client address of a request: the peer's, or the one that a trusted proxy names.
///
/// Each proxy appends the address of its own peer. The list is therefore read from its end, for as long as it names
/// trusted proxies. Entries before that are not trusted.
pub(crate) fn resolve_client(info: Option<&ConnectionInfo>, parts: &Parts, settings: &HttpSettings) -> Option<Client> {
    let found;
    let line = match info {
        Some(line) => line,
        None => {
            found = ConnectionInfo::from_parts(parts)?;
            &found
        }
    };
    let mut address = line.peer;
    let trusted = |address: &IpAddr| is_trusted_proxy(address, settings);
    if !trusted(&address) {
        let usage = line.connection.as_ref().and_then(|connection| connection.usage.clone());
        return Some(Client { address, text: Arc::clone(&line.text), usage });
    }
    let header = match settings.forwarded_header {
        ForwardedHeader::XForwardedFor => "x-forwarded-for",
        ForwardedHeader::Forwarded => "forwarded",
    };
    let lines = parts.headers.get_all(header).iter().rev().map(|line| line.to_str().unwrap_or_default());
    for hop in lines.flat_map(|line| line.rsplit(',')) {
        if !trusted(&address) {
            break;
        }
        let said = match settings.forwarded_header {
            ForwardedHeader::XForwardedFor => Some(hop),
            ForwardedHeader::Forwarded => parse_forwarded_for(hop),
        };
        // A hop that hides its address ends the chain of known addresses.
        let Some(before) = said.and_then(parse_node) else { break };
        address = before;
    }
    Some(Client { address, text: address.to_string().into(), usage: None })
}

/// Returns whether an address belongs to a trusted proxy.
pub(crate) fn is_trusted_proxy(address: &IpAddr, settings: &HttpSettings) -> bool {
    settings.trusted_proxies.iter().any(|net| net.contains(address))
}

/// Returns the value of `for` in one element of `Forwarded`.
fn parse_forwarded_for(element: &str) -> Option<&str> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| value.trim().trim_matches('"'))
    })
}

/// Parses an address with optional brackets and an optional port.
fn parse_node(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let address = text.parse::<IpAddr>().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    address.or_else(bracketed).map(|address| address.to_canonical())
}

/// Deserializes networks or single addresses.
pub(crate) fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    let read = |text: &String| {
        let network = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
        network.ok_or_else(|| D::Error::custom(format!("{text:?} is no address and no network such as 10.0.0.0/8")))
    };
    texts.iter().map(read).collect()
}
