//! The limits of HTTP itself, each with a name.

use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::address::{self, ForwardedHeader};

/// What connections and requests may take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpSettings {
    /// Connections open at once; more wait to be accepted.
    pub max_connections: usize,
    /// Requests being answered at once; more are told to come back (503). Open streams do not count.
    pub max_in_flight: usize,
    /// Bytes of a request line and its headers.
    pub head_bytes: usize,
    /// Seconds a client may take to send a request's headers, and seconds a connection may idle between requests.
    pub head_timeout_s: u64,
    /// Seconds a client may take to send a request's body.
    pub body_timeout_s: u64,
    /// Seconds a request may take until its answer begins.
    pub request_timeout_s: u64,
    /// Seconds a batch of lines may take until its answer begins; the body may pause for `body_timeout_s`.
    pub batch_timeout_s: u64,
    /// Requests at once on one HTTP/2 connection.
    pub h2_streams: u32,
    /// Seconds that requests in flight get to finish when the server stops.
    pub shutdown_grace_s: u64,
    /// Proxies that are believed when they say where a request comes from: addresses, or networks such as `10.0.0.0/8`. Nobody is, by default.
    #[serde(deserialize_with = "address::networks")]
    pub trusted_proxies: Vec<IpNet>,
    /// In which header they say it.
    pub forwarded_header: ForwardedHeader,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            max_connections: 20_000,
            max_in_flight: 4096,
            head_bytes: 32 << 10,
            head_timeout_s: 30,
            body_timeout_s: 30,
            request_timeout_s: 60,
            batch_timeout_s: 300,
            h2_streams: 256,
            shutdown_grace_s: 10,
            trusted_proxies: Vec::new(),
            forwarded_header: ForwardedHeader::default(),
        }
    }
}

impl HttpSettings {
    /// As [`HttpSettings::head_timeout_s`].
    #[must_use]
    pub fn head_timeout(&self) -> Duration {
        Duration::from_secs(self.head_timeout_s.max(1))
    }

    /// As [`HttpSettings::body_timeout_s`].
    #[must_use]
    pub fn body_timeout(&self) -> Duration {
        Duration::from_secs(self.body_timeout_s.max(1))
    }

    /// As [`HttpSettings::request_timeout_s`].
    #[must_use]
    pub fn request_timeout(&self) -> Duration {
        Duration::from_secs(self.request_timeout_s.max(1))
    }

    /// As [`HttpSettings::batch_timeout_s`].
    #[must_use]
    pub fn batch_timeout(&self) -> Duration {
        Duration::from_secs(self.batch_timeout_s.max(1))
    }

    /// As [`HttpSettings::shutdown_grace_s`].
    #[must_use]
    pub fn shutdown_grace(&self) -> Duration {
        Duration::from_secs(self.shutdown_grace_s)
    }
}
