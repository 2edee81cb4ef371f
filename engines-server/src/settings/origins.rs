//! The setting of the origins (RFC 6454) whose pages may send requests.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, SeqAccess, Visitor, value::SeqAccessDeserializer},
};

/// The name of the setting in errors.
const SETTING: &str = "http.cors_origins";

/// A list of origins. Each is exact (`https://app.example.com`, `http://localhost:5173`), or has `*` as its first label
/// (`https://*.example.com`). `*` stands for exactly one label. Scheme and port must be equal.
///
/// ```
/// use engines_server::Origins;
/// let origins: Origins = "https://app.example.com, https://*.example.org:8443".parse()?;
/// assert!(origins.contains("https://app.example.com"));
/// assert!(origins.contains("https://eu.example.org:8443"));
/// for other in ["http://app.example.com", "https://example.org:8443", "https://a.b.example.org:8443", "null"] {
///     assert!(!origins.contains(other));
/// }
/// # Ok::<(), engines_server::OriginError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origins(Vec<OriginPattern>);

/// The reason why a text is neither an origin nor a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginError {
    text: String,
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum OriginPattern {
    Exact(String),
    /// The text before and after the one label.
    OneLabel {
        before: String,
        after: String,
    },
}

impl Origins {
    /// Parses a list of origins.
    ///
    /// # Errors
    /// Returns an error for the first text that is neither an origin nor a pattern.
    pub fn new<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Result<Self, OriginError> {
        texts.into_iter().map(|text| OriginPattern::parse(text.as_ref())).collect::<Result<_, _>>().map(Self)
    }

    /// Returns whether the list is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether the list contains an origin, in the form in which a browser sends it. It never contains `null`.
    #[must_use]
    pub fn contains(&self, origin: &str) -> bool {
        self.0.iter().any(|pattern| match pattern {
            OriginPattern::Exact(listed) => listed == origin,
            OriginPattern::OneLabel { before, after } => origin
                .strip_prefix(before.as_str())
                .and_then(|rest| rest.strip_suffix(after.as_str()))
                .is_some_and(is_label),
        })
    }
}

impl std::str::FromStr for Origins {
    type Err = OriginError;

    /// Parses a list that is separated by commas, or a JSON array of strings.
    fn from_str(text: &str) -> Result<Self, OriginError> {
        if text.trim_start().starts_with('[') {
            let fault = |_| OriginError { text: text.to_owned(), reason: "it is not a JSON array of strings" };
            return Self::new(serde_json::from_str::<Vec<String>>(text).map_err(fault)?);
        }
        Self::new(text.split(',').map(str::trim).filter(|text| !text.is_empty()))
    }
}

impl OriginPattern {
    fn parse(text: &str) -> Result<Self, OriginError> {
        let fault = |reason| Err(OriginError { text: text.to_owned(), reason });
        let lower = text.to_ascii_lowercase();
        if lower == "*" || lower == "null" {
            return fault("name the origins; neither every origin nor `null` can be listed");
        }
        let Some((scheme, rest)) = lower.split_once("://") else {
            return fault("an origin is `scheme://host` or `scheme://host:port`");
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        if !scheme.starts_with(|first: char| first.is_ascii_alphabetic()) || !scheme.bytes().all(plain) {
            return fault("the scheme is malformed");
        }
        let Some((host, port)) = split_port(rest) else {
            return fault("the port must be a number from 1 to 65535");
        };
        // Browsers leave out the default port of the scheme.
        let port =
            port.filter(|port| Some(*port) != default_port(scheme)).map_or_else(String::new, |port| format!(":{port}"));
        if let Some(parent) = host.strip_prefix("*.") {
            if !is_host(parent) || !parent.contains('.') && parent != "localhost" {
                return fault("`*.` must be followed by a domain of two labels or more, or by localhost");
            }
            return Ok(Self::OneLabel { before: format!("{scheme}://"), after: format!(".{parent}{port}") });
        }
        if host.contains('*') {
            return fault("`*` stands for the first label alone, as in `https://*.example.com`");
        }
        let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let valid = match bracketed {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => is_host(host),
        };
        if !valid {
            return fault("the host is malformed; an origin has no path, no user and no `/` at its end");
        }
        Ok(Self::Exact(format!("{scheme}://{host}{port}")))
    }
}

impl fmt::Display for OriginPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(origin) => f.write_str(origin),
            Self::OneLabel { before, after } => write!(f, "{before}*{after}"),
        }
    }
}

impl fmt::Display for OriginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SETTING}: {:?} is not an origin: {}", self.text, self.reason)
    }
}

impl std::error::Error for OriginError {}

impl Serialize for Origins {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(ToString::to_string))
    }
}

impl<'de> Deserialize<'de> for Origins {
    /// Deserializes a list of strings, or one string like [`FromStr`](std::str::FromStr).
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Listed;

        impl<'de> Visitor<'de> for Listed {
            type Value = Origins;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of origins")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Origins, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, texts: A) -> Result<Origins, A::Error> {
                let texts = Vec::<String>::deserialize(SeqAccessDeserializer::new(texts))?;
                Origins::new(texts).map_err(A::Error::custom)
            }
        }

        deserializer.deserialize_any(Listed)
    }
}

/// Splits host and port. Returns `None` when the port is not valid.
pub(crate) fn split_port(text: &str) -> Option<(&str, Option<u16>)> {
    let in_brackets = text.rfind(']').unwrap_or(0);
    match text[in_brackets..].rfind(':') {
        None => Some((text, None)),
        Some(at) => {
            let (host, port) = text.split_at(in_brackets + at);
            let digits = port[1..].bytes().all(|byte| byte.is_ascii_digit());
            let port = port[1..].parse().ok().filter(|port| *port > 0 && digits)?;
            Some((host, Some(port)))
        }
    }
}

/// Returns the port of a scheme that a URL may leave out.
pub(crate) fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    }
}

fn is_host(host: &str) -> bool {
    host.len() <= 253 && host.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    (1..=63).contains(&label.len()) && label.bytes().all(plain)
}
