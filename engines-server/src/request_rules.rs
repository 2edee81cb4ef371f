//! Rules that every request must satisfy before the other steps.

use engines::{Error, Result};
use http::{HeaderMap, Method, StatusCode, Version, header, request::Parts, uri::Authority};

use crate::route_info::Route;

const OPERATION: &str = "http.request";

/// Checks that a request names its host exactly once (RFC 9112 section 3.2, RFC 9113 section 8.3.1).
///
/// # Errors
/// Returns `BODY_INVALID` (400) with the field `Host`.
pub(crate) fn check_host(parts: &Parts) -> Result<()> {
    let refuse = |detail: &'static str| Err(Error::invalid_body(OPERATION, "Host", detail));
    let mut hosts = parts.headers.get_all(header::HOST).iter();
    let (first, second) = (hosts.next(), hosts.next());
    if second.is_some() {
        return refuse("send one Host header, not several");
    }
    let Some(host) = first else {
        let named = match parts.version {
            Version::HTTP_09 | Version::HTTP_10 => true,
            Version::HTTP_2 | Version::HTTP_3 => parts.uri.authority().is_some(),
            _ => false,
        };
        return if named { Ok(()) } else { refuse("send a Host header") };
    };
    // An empty value is valid if the target has no authority. A comma would be valid in a name, but a proxy also joins
    // two values with it.
    let is_valid =
        host.is_empty() || Authority::try_from(host.as_bytes()).is_ok_and(|host| !host.as_str().contains(['@', ',']));
    if !is_valid {
        return refuse("the Host header must be a host and, optionally, a port");
    }
    let is_http2 = parts.version == Version::HTTP_2;
    let differs = |authority: &Authority| !authority.as_str().as_bytes().eq_ignore_ascii_case(host.as_bytes());
    if is_http2 && parts.uri.authority().is_some_and(differs) {
        return refuse("the Host header and :authority differ");
    }
    Ok(())
}

/// Checks that a request to a WebSocket route can be a handshake: `GET`, without a body (RFC 6455 section 4.1).
///
/// # Errors
/// Returns `BODY_INVALID` (400).
pub(crate) fn check_handshake(route: &Route, parts: &Parts) -> Result<()> {
    if !is_websocket(route) {
        return Ok(());
    }
    if parts.method == Method::HEAD {
        return Err(Error::invalid_body(OPERATION, "method", "this route is a WebSocket; open it with GET"));
    }
    if announces_body(&parts.headers) {
        return Err(Error::invalid_body(OPERATION, "", "the handshake of a WebSocket has no body"));
    }
    Ok(())
}

/// Returns whether a ticket in the query is accepted. `HEAD` opens no stream, so it must not use up a ticket.
pub(crate) fn accepts_ticket(route: &Route, method: &Method) -> bool {
    route.stream && *method == Method::GET
}

fn is_websocket(route: &Route) -> bool {
    route.stream && route.doc.status == StatusCode::SWITCHING_PROTOCOLS.as_u16()
}

fn announces_body(headers: &HeaderMap) -> bool {
    let length = headers.get(header::CONTENT_LENGTH);
    headers.contains_key(header::TRANSFER_ENCODING) || length.is_some_and(|length| length != "0")
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn check(version: Version, uri: &str, hosts: &[&str]) -> bool {
        let mut request = Request::builder().version(version).uri(uri);
        for host in hosts {
            request = request.header("host", *host);
        }
        check_host(&request.body(()).unwrap().into_parts().0).is_ok()
    }

    #[test]
    fn http1_needs_one_valid_host() {
        for host in ["example.org", "example.org:8080", "[::1]:8080", "192.0.2.1", ""] {
            assert!(check(Version::HTTP_11, "/", &[host]), "{host:?}");
        }
        for host in ["a b", "a/b", "user@example.org", "example.org,other.org"] {
            assert!(!check(Version::HTTP_11, "/", &[host]), "{host:?}");
        }
        assert!(!check(Version::HTTP_11, "/", &[]));
        assert!(!check(Version::HTTP_11, "http://example.org/", &[]));
        assert!(!check(Version::HTTP_11, "/", &["a", "a"]));
        assert!(check(Version::HTTP_10, "/", &[]));
        assert!(!check(Version::HTTP_10, "/", &["a", "b"]));
    }

    #[test]
    fn http2_names_its_host_in_the_authority() {
        assert!(check(Version::HTTP_2, "http://example.org/", &[]));
        assert!(check(Version::HTTP_2, "http://example.org/", &["Example.org"]));
        assert!(check(Version::HTTP_2, "/", &["example.org"]));
        assert!(!check(Version::HTTP_2, "http://example.org/", &["other.org"]));
        assert!(!check(Version::HTTP_2, "/", &[]));
    }
}
