//! The address of a key set, in a form that all URL parsers read in the same way.

use std::{fmt, net::IpAddr, sync::Arc};

use engines_core::{Code, Error, Result};

/// The address of a key set: `https://host[:port]/path[?query]`. Plain `http://` is allowed on loopback only, for
/// tests.
///
/// It has no user info, no fragment, and only visible ASCII. The host is a name of letters, digits, `-` and `.`, or an
/// IP address.
///
/// ```
/// use engines_auth::oidc::JwksUrl;
/// assert!(JwksUrl::new("https://id.example.org/.well-known/jwks.json").is_ok());
/// assert!(JwksUrl::new("http://127.0.0.1:5000/pool/.well-known/jwks.json").is_ok());
/// assert!(JwksUrl::new("http://id.example.org/jwks").is_err());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct JwksUrl {
    text: Arc<str>,
    loopback: bool,
}

impl JwksUrl {
    /// The longest address, in bytes.
    pub const MAX_BYTES: usize = 2048;

    /// Parses an address.
    ///
    /// # Errors
    /// When the text does not have the form described above.
    pub fn new(text: &str) -> Result<Self> {
        let plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\\#@<>\"{}|^`".contains(&byte));
        if text.len() > Self::MAX_BYTES || !plain {
            return Err(invalid_url(
                "the address of the keys must be at most 2,048 visible ASCII characters, without @ # or \\",
            ));
        }
        let (secure, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            _ => return Err(invalid_url("the address of the keys must begin with https://")),
        };
        let authority = rest.find(['/', '?']).map_or(rest, |end| &rest[..end]);
        let host = host(authority).ok_or_else(|| {
            invalid_url("the address of the keys must name a host, and a port between 1 and 65535 if any")
        })?;
        let loopback = host.eq_ignore_ascii_case("localhost")
            || host.parse().is_ok_and(|address: IpAddr| address.to_canonical().is_loopback());
        if !secure && !loopback {
            return Err(invalid_url("the address of the keys must begin with https://; http:// is for loopback alone"));
        }
        Ok(Self { text: text.into(), loopback })
    }

    /// Returns the address as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns whether the host is a loopback address.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.loopback
    }
}

/// Returns the host of `host`, `host:port`, `[v6]` or `[v6]:port`.
fn host(authority: &str) -> Option<&str> {
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (inside, after) = rest.split_once(']')?;
        inside.parse::<std::net::Ipv6Addr>().ok()?;
        (inside, if after.is_empty() { None } else { Some(after.strip_prefix(':')?) })
    } else {
        let (host, port) = authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
        let first = host.bytes().next()?;
        let named = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.');
        (Some(host).filter(|_| named && first.is_ascii_alphanumeric())?, port)
    };
    let fits =
        |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0);
    port.is_none_or(fits).then_some(host)
}

fn invalid_url(detail: &'static str) -> Error {
    Error::new(Code::Internal, "oidc.settings", detail)
}

impl fmt::Debug for JwksUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JwksUrl({})", self.text)
    }
}
