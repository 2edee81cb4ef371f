//! The `Origin` of a request (RFC 6454): whether it is listed, and whether it is the origin of the server itself.

use std::{borrow::Cow, net::IpAddr};

use http::{HeaderMap, HeaderValue, header, request::Parts};

use crate::{
    connection_info::{ConnectionInfo, Peer},
    settings::{ForwardedHeader, HttpSettings, Origins, default_port, split_port},
};

/// Returns the only `Origin` of a request, if it is listed in `origins`.
pub(crate) fn find_listed<'a>(origins: &Origins, headers: &'a HeaderMap) -> Option<&'a HeaderValue> {
    if origins.is_empty() {
        return None;
    }
    let origin = single_origin(headers)?;
    origin.to_str().is_ok_and(|origin| origins.contains(origin)).then_some(origin)
}

/// Returns the `Origin` of a request that has exactly one.
pub(crate) fn single_origin(headers: &HeaderMap) -> Option<&HeaderValue> {
    let mut all = headers.get_all(header::ORIGIN).iter();
    all.next().filter(|_| all.next().is_none())
}

/// Returns whether a page of this origin comes from the host that the request is for. Its host and port must equal
/// those of `Host`, or those that a trusted proxy reports.
pub(crate) fn is_same_origin(
    connection: Option<&ConnectionInfo>,
    parts: &Parts,
    settings: &HttpSettings,
    origin: &str,
) -> bool {
    let Some((scheme, rest)) = origin.split_once("://") else { return false };
    let Some((host, port)) = split_port(rest) else { return false };
    let own = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let mut authority = own.or_else(|| parts.uri.authority().map(http::uri::Authority::as_str)).map(Cow::Borrowed);
    if peer(connection, parts).is_some_and(|peer| settings.trusts(&peer)) {
        let said = ForwardedInfo::read(&parts.headers, settings.forwarded_header);
        if said.scheme.is_some_and(|said| !said.eq_ignore_ascii_case(scheme)) {
            return false;
        }
        if let Some(host) = said.host {
            authority = Some(host);
        }
    }
    let Some((own_host, own_port)) = authority.as_deref().and_then(split_port) else { return false };
    let default = default_port(scheme);
    host.eq_ignore_ascii_case(own_host) && port.or(default) == own_port.or(default)
}

fn peer(connection: Option<&ConnectionInfo>, parts: &Parts) -> Option<IpAddr> {
    match connection {
        Some(info) => Some(info.peer),
        None => parts.extensions.get().map(|Peer(peer)| peer.ip().to_canonical()),
    }
}

/// The scheme, host and port with which a client reached the nearest proxy, as far as the proxy reports them.
#[derive(Default)]
struct ForwardedInfo<'a> {
    scheme: Option<&'a str>,
    host: Option<Cow<'a, str>>,
}

impl<'a> ForwardedInfo<'a> {
    fn read(headers: &'a HeaderMap, written: ForwardedHeader) -> Self {
        // The nearest proxy has written the last entry.
        let last = |name: &str| {
            let line = headers.get_all(name).iter().next_back()?.to_str().ok()?;
            line.rsplit(',').next().map(str::trim).filter(|value| !value.is_empty())
        };
        match written {
            ForwardedHeader::XForwardedFor => {
                Self { scheme: last("x-forwarded-proto"), host: last("x-forwarded-host").map(Cow::Borrowed) }
            }
            ForwardedHeader::Forwarded => {
                let mut forwarded = Self::default();
                for pair in last("forwarded").into_iter().flat_map(|element| element.split(';')) {
                    let Some((name, value)) = pair.split_once('=') else { continue };
                    let value = value.trim().trim_matches('"');
                    match name.trim().to_ascii_lowercase().as_str() {
                        "proto" => forwarded.scheme = Some(value),
                        "host" => forwarded.host = Some(Cow::Borrowed(value)),
                        _ => {}
                    }
                }
                forwarded
            }
        }
    }
}
