//! The limits of HTTP itself, each with a name.

use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::{
    client_addr::{self, ForwardedHeader},
    limits::{BudgetSettings, DeadlineSettings},
    origin::Origins,
};

/// Connections open at once where neither `max_connections` nor the descriptors of the process say less.
const MAX_DEFAULT_CONNECTIONS: usize = 20_000;

/// What connections and requests may take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct HttpSettings {
    /// Connections open at once; more wait to be accepted. If absent, as many as the process has file descriptors for beside
    /// those of the store, and at most 20,000.
    pub max_connections: Option<usize>,
    /// Requests being handled at once, of routes that need a credential; more get 503. Requests whose body is still
    /// arriving, batches and open streams do not count.
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
    /// Bytes of answers that the system keeps for one connection until the client takes them. Linux uses up to twice as
    /// much memory for them. A connection is no faster than this for each round trip.
    pub send_buffer_bytes: usize,
    /// Requests at once on one HTTP/2 connection.
    pub h2_streams: u32,
    /// Seconds that requests in flight get to finish when the server stops.
    pub shutdown_grace_s: u64,
    /// Proxies that are believed when they say where a request comes from: addresses, or networks such as `10.0.0.0/8`. Nobody is, by default.
    #[serde(deserialize_with = "client_addr::networks")]
    #[cfg_attr(feature = "cli", schemars(with = "Vec<String>"))]
    pub trusted_proxies: Vec<IpNet>,
    /// In which header they say it.
    pub forwarded_header: ForwardedHeader,
    /// How much work of each kind may be under way, in total and for each client address.
    pub budgets: BudgetSettings,
    /// How long each phase of a connection may take, beside the timeouts above.
    pub deadlines: DeadlineSettings,
    /// Origins whose pages may call from a browser and open WebSockets, besides pages served from here: exact ones
    /// (`https://app.example.com`), or `https://*.example.com`, in which `*` is exactly one label. In the environment a JSON array, or
    /// separated by commas. None by default.
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
    /// As [`HttpSettings::max_connections`]; 20,000 if absent.
    #[must_use]
    pub fn max_connections(&self) -> usize {
        self.max_connections.unwrap_or(MAX_DEFAULT_CONNECTIONS).max(1)
    }

    /// As [`BudgetSettings::anonymous_connections`]; three quarters of all connections if absent.
    #[must_use]
    pub fn anonymous_connections(&self) -> usize {
        self.budgets.anonymous_connections.unwrap_or_else(|| self.max_connections() / 4 * 3).max(1)
    }

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
