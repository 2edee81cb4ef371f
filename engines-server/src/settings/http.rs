//! The settings of HTTP.

use std::{net::IpAddr, time::Duration};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{
    BudgetSettings, DeadlineSettings, ForwardedHeader, Origins,
    proxies::{self, is_listed},
};

/// The largest default for open connections, if neither `max_connections` nor the file descriptors of the process set a
/// lower limit.
const MAX_DEFAULT_CONNECTIONS: usize = 20_000;

/// Limits and timeouts of connections and requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct HttpSettings {
    /// Connections that may be open at the same time. Further ones wait to be accepted. By default, as many as the
    /// process has file descriptors for, beside those of the store, and at most 20,000.
    pub max_connections: Option<usize>,
    /// Requests with a credential that are handled at the same time. Further ones get 503. Requests whose body is still
    /// arriving, batches and open streams are not counted.
    pub max_in_flight: usize,
    /// Bytes of a request line and its headers. Over HTTP/2 each header counts 32 bytes more (RFC 9113 section 6.5.2).
    pub head_bytes: usize,
    /// Seconds in which a client must send the headers of a request, and seconds that a connection may be idle between
    /// requests.
    pub head_timeout_s: u64,
    /// Seconds in which a client must send the body of a request.
    pub body_timeout_s: u64,
    /// Seconds until the response to a request must begin.
    pub request_timeout_s: u64,
    /// Seconds until the response to a batch of lines must begin. Its body may pause for `body_timeout_s`.
    pub batch_timeout_s: u64,
    /// Bytes of responses that the system buffers for one connection until the client reads them. Linux uses up to
    /// twice as much memory for them. A connection can transfer at most this much in each round trip.
    pub send_buffer_bytes: usize,
    /// Requests at the same time on one HTTP/2 connection.
    pub h2_streams: u32,
    /// Seconds that requests in flight may take to finish when the server stops.
    pub shutdown_grace_s: u64,
    /// Proxies that are trusted to name the client of a request: addresses, or networks such as `10.0.0.0/8`. None by
    /// default.
    #[serde(deserialize_with = "proxies::networks")]
    #[cfg_attr(feature = "cli", schemars(with = "Vec<String>"))]
    pub trusted_proxies: Vec<IpNet>,
    /// The header in which they name it.
    pub forwarded_header: ForwardedHeader,
    /// Limits on work in progress, in total and for each client address.
    pub budgets: BudgetSettings,
    /// How long each phase of a connection may take, beside the timeouts above.
    pub deadlines: DeadlineSettings,
    /// Origins whose pages may send requests from a browser and open WebSockets, besides pages of the server itself:
    /// exact ones (`https://app.example.com`), or `https://*.example.com`, in which `*` is exactly one label. In a
    /// variable, use a JSON array or commas. None by default.
    #[cfg_attr(feature = "cli", schemars(with = "Vec<String>"))]
    pub cors_origins: Origins,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            max_connections: None,
            max_in_flight: 4096,
            head_bytes: 32 << 10,
            head_timeout_s: 30,
            body_timeout_s: 30,
            request_timeout_s: 60,
            batch_timeout_s: 300,
            send_buffer_bytes: 128 << 10,
            h2_streams: 256,
            shutdown_grace_s: 10,
            trusted_proxies: Vec::new(),
            forwarded_header: ForwardedHeader::default(),
            budgets: BudgetSettings::default(),
            deadlines: DeadlineSettings::default(),
            cors_origins: Origins::default(),
        }
    }
}

impl HttpSettings {
    /// Returns whether an address belongs to a trusted proxy.
    pub(crate) fn trusts(&self, address: &IpAddr) -> bool {
        is_listed(address, &self.trusted_proxies)
    }

    /// Returns [`HttpSettings::max_connections`], or 20,000 if it is absent.
    #[must_use]
    pub fn max_connections(&self) -> usize {
        self.max_connections.unwrap_or(MAX_DEFAULT_CONNECTIONS).max(1)
    }

    /// Returns [`BudgetSettings::anonymous_connections`], or three quarters of all connections if it is absent.
    #[must_use]
    pub fn anonymous_connections(&self) -> usize {
        self.budgets.anonymous_connections.unwrap_or_else(|| self.max_connections() / 4 * 3).max(1)
    }

    /// Returns [`HttpSettings::head_timeout_s`] as a duration.
    #[must_use]
    pub fn head_timeout(&self) -> Duration {
        Duration::from_secs(self.head_timeout_s.max(1))
    }

    /// Returns [`HttpSettings::body_timeout_s`] as a duration.
    #[must_use]
    pub fn body_timeout(&self) -> Duration {
        Duration::from_secs(self.body_timeout_s.max(1))
    }

    /// Returns [`HttpSettings::request_timeout_s`] as a duration.
    #[must_use]
    pub fn request_timeout(&self) -> Duration {
        Duration::from_secs(self.request_timeout_s.max(1))
    }

    /// Returns [`HttpSettings::batch_timeout_s`] as a duration.
    #[must_use]
    pub fn batch_timeout(&self) -> Duration {
        Duration::from_secs(self.batch_timeout_s.max(1))
    }

    /// Returns [`HttpSettings::shutdown_grace_s`] as a duration.
    #[must_use]
    pub fn shutdown_grace(&self) -> Duration {
        Duration::from_secs(self.shutdown_grace_s)
    }
}
