//! The client address of a request, as far as it can be trusted.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use http::request::Parts;

use crate::{
    connection_info::ConnectionInfo,
    limits::{AddressUsage, Budgets},
    settings::{ForwardedHeader, HttpSettings},
};

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

/// Returns the client address of a request: the peer's, or the one that a trusted proxy names.
///
/// Each proxy appends the address of its own peer. The list is therefore read from its end, for as long as it names
/// trusted proxies. Entries before that are not trusted.
pub(crate) fn resolve_client(info: Option<&ConnectionInfo>, parts: &Parts, settings: &HttpSettings) -> Option<Client> {
    let found;
    let info = match info {
        Some(info) => info,
        None => {
            found = ConnectionInfo::from_parts(parts)?;
            &found
        }
    };
    let mut address = info.peer;
    let trusted = |address: &IpAddr| settings.trusts(address);
    if !trusted(&address) {
        let usage = info.connection.as_ref().and_then(|connection| connection.usage.clone());
        return Some(Client { address, text: Arc::clone(&info.text), usage });
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
