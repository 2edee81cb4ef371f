//! Where a request comes from, as far as it can be believed.

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

/// The other end of the connection. Our own listener puts it into each request's extensions; whoever mounts the app elsewhere does the same,
/// or limits per address do not apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// In which header a trusted proxy says where a request comes from. One of them, because a proxy that writes the one may pass the other on
/// as the client sent it.
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

/// A connection of our own listener, as its requests know it.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionInfo {
    peer: IpAddr,
    /// The peer as text, written once for all requests.
    text: Arc<str>,
    /// Whether an answer that is a stream takes the connection over.
    pub(crate) own: bool,
    /// What the connection holds, where it is one of our own listener.
    connection: Option<Arc<ConnectionState>>,
}

/// The client of a request.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) address: IpAddr,
    pub(crate) text: Arc<str>,
    /// What the address uses, where it is the peer of a connection of our own.
    usage: Option<Arc<AddressUsage>>,
}

impl Client {
    /// What the address uses of `budgets`.
    pub(crate) fn usage(&self, budgets: &Budgets) -> Arc<AddressUsage> {
        self.usage.clone().unwrap_or_else(|| budgets.usage(self.address))
    }
}

impl ConnectionInfo {
    pub(crate) fn new(peer: SocketAddr) -> Self {
        let peer = peer.ip().to_canonical();
        Self { peer, text: peer.to_string().into(), own: false, connection: None }
    }

    /// A connection of our own listener.
    pub(crate) fn with_state(peer: SocketAddr, connection: Arc<ConnectionState>) -> Self {
        Self { connection: Some(connection), ..Self::new(peer) }
    }

    /// Notes that a request on this connection came with a good credential.
    pub(crate) fn mark_authenticated(&self) {
        if let Some(connection) = &self.connection {
            connection.mark_authenticated();
        }
    }

    /// Whether this is a connection of our own listener.
    pub(crate) fn is_from_listener(&self) -> bool {
        self.connection.is_some()
    }

    /// For a request whose answer may or may not take the connection over.
    pub(crate) fn for_streams(&self, own: bool) -> Self {
        Self { own, ..self.clone() }
    }

    /// The other end.
    pub(crate) fn peer(&self) -> IpAddr {
        self.peer
    }

    fn from_parts(parts: &Parts) -> Option<Self> {
        parts.extensions.get().map(|Peer(peer)| Self::new(*peer))
    }
}

/// The address a request comes from: the peer's, or what a trusted proxy says. Each proxy adds whom it was asked by at the end, so the
/// list is read from there, for as long as it names trusted proxies; what stands before was written by nobody we know.
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
        // A hop that hides itself ends what is known.
        let Some(before) = said.and_then(parse_node) else { break };
        address = before;
    }
    Some(Client { address, text: address.to_string().into(), usage: None })
}

/// Whether an address is one of the trusted proxies.
pub(crate) fn is_trusted_proxy(address: &IpAddr, settings: &HttpSettings) -> bool {
    settings.trusted_proxies.iter().any(|net| net.contains(address))
}

/// The `for` of one element of `Forwarded`.
fn parse_forwarded_for(element: &str) -> Option<&str> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| value.trim().trim_matches('"'))
    })
}

/// An address, perhaps in brackets, perhaps with a port.
fn parse_node(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let address = text.parse::<IpAddr>().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    address.or_else(bracketed).map(|address| address.to_canonical())
}

/// Networks, or single addresses.
pub(crate) fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    let read = |text: &String| {
        let network = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
        network.ok_or_else(|| D::Error::custom(format!("{text:?} is no address and no network such as 10.0.0.0/8")))
    };
    texts.iter().map(read).collect()
}
