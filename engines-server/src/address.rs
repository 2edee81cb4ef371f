//! Where a request comes from, as far as it can be believed.

use std::net::{IpAddr, SocketAddr};

use http::request::Parts;
use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::settings::HttpSettings;

/// The other end of the connection. Our own listener puts it into each request's extensions; whoever mounts the app elsewhere does the same,
/// or limits per address do not apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// In which header a trusted proxy says where a request comes from. One of them, because a proxy that writes the one may pass the other on
/// as the client sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`, which most proxies write.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// The address a request comes from: the peer's, or what a trusted proxy says. Each proxy adds whom it was asked by at the end, so the
/// list is read from there, for as long as it names trusted proxies; what stands before was written by nobody we know.
pub(crate) fn of(parts: &Parts, settings: &HttpSettings) -> Option<String> {
    let Peer(peer) = parts.extensions.get::<Peer>()?;
    let mut address = peer.ip().to_canonical();
    let trusted = |address: &IpAddr| settings.trusted_proxies.iter().any(|net| net.contains(address));
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
            ForwardedHeader::Forwarded => forwarded_for(hop),
        };
        // A hop that hides itself ends what is known.
        let Some(before) = said.and_then(node) else { break };
        address = before;
    }
    Some(address.to_string())
}

/// The `for` of one element of `Forwarded`.
fn forwarded_for(element: &str) -> Option<&str> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| value.trim().trim_matches('"'))
    })
}

/// An address, perhaps in brackets, perhaps with a port.
fn node(text: &str) -> Option<IpAddr> {
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
