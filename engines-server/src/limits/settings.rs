//! The settings of budgets and deadlines.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How much work may be under way at once. An address is one IPv4 address or one IPv6 /64; the addresses of an IPv6 /48
/// together may have twice as much as one of them, but at most three quarters of all, unless one may have more. It is the
/// address of the peer for connections (peers listed in `http.trusted_proxies` are exempt), and of the client as a trusted
/// proxy reports it for requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct BudgetSettings {
    /// Connections of one address. One more gets 503 and is closed.
    pub connections_per_address: usize,
    /// Connections on which no request has authenticated yet. One more closes the oldest of them. Three quarters of
    /// `http.max_connections` if absent.
    pub anonymous_connections: Option<usize>,
    /// Connections of one address on which no request has authenticated yet. One more closes the oldest of them.
    pub anonymous_connections_per_address: usize,
    /// Open HTTP/2 streams of one address, over all of its connections. One more gets 503.
    pub http2_streams_per_address: usize,
    /// Requests of one address being handled at once, out of `http.max_in_flight`. One more gets 503.
    pub in_flight_per_address: usize,
    /// Requests to other routes that need no credential being handled at once. They take no place of
    /// `http.max_in_flight`.
    pub anonymous_in_flight: usize,
    /// Requests of one address to other routes that need no credential being handled at once.
    pub anonymous_in_flight_per_address: usize,
    /// Requests being handled at once to routes that hash a password, such as `/auth/login`. They take no place of
    /// `anonymous_in_flight`, so that waiting for a hash keeps nobody from the other routes. More than the hashes that
    /// may wait (`identity.password.queue`) and the logins that may wait for a try (`identity.login_waiting`).
    pub password_in_flight: usize,
    /// Requests of one address being handled at once to routes that hash a password.
    pub password_in_flight_per_address: usize,
    /// Requests to `/auth/refresh` being handled at once. They take no place of `anonymous_in_flight`.
    pub refresh_in_flight: usize,
    /// Requests of one address to `/auth/refresh` being handled at once.
    pub refresh_in_flight_per_address: usize,
    /// Bodies being received from authenticated clients. One more ends the oldest with 503.
    pub bodies: usize,
    /// Bodies being received from authenticated clients of one address. One more ends the oldest with 503.
    pub bodies_per_address: usize,
    /// Bytes of bodies being received from authenticated clients. A body that exceeds them gets 503.
    pub body_bytes: usize,
    /// Bytes of bodies being received from authenticated clients of one address.
    pub body_bytes_per_address: usize,
    /// Bodies being received by routes that need no credential. One more ends the oldest with 503.
    pub anonymous_bodies: usize,
    /// Bodies of one address being received by routes that need no credential. One more ends the oldest with 503.
    pub anonymous_bodies_per_address: usize,
    /// Bytes of bodies being received by routes that need no credential. A body that exceeds them gets 503.
    pub anonymous_body_bytes: usize,
    /// Bytes of bodies of one address being received by routes that need no credential.
    pub anonymous_body_bytes_per_address: usize,
    /// Batches of lines being received at once. They take no place of `http.max_in_flight`. One more gets 503.
    pub batches: usize,
    /// Batches of lines of one address being received at once.
    pub batches_per_address: usize,
}

impl Default for BudgetSettings {
    fn default() -> Self {
        Self {
            connections_per_address: 16_384,
            anonymous_connections: None,
            anonymous_connections_per_address: 8192,
            http2_streams_per_address: 4096,
            in_flight_per_address: 2048,
            anonymous_in_flight: 512,
            anonymous_in_flight_per_address: 256,
            password_in_flight: 1024,
            password_in_flight_per_address: 256,
            refresh_in_flight: 512,
            refresh_in_flight_per_address: 256,
            bodies: 4096,
            bodies_per_address: 1024,
            body_bytes: 256 << 20,
            body_bytes_per_address: 64 << 20,
            anonymous_bodies: 16_384,
            anonymous_bodies_per_address: 8192,
            anonymous_body_bytes: 64 << 20,
            anonymous_body_bytes_per_address: 16 << 20,
            batches: 512,
            batches_per_address: 128,
        }
    }
}

/// How long each phase of a connection may take, beside the timeouts in [`HttpSettings`](crate::HttpSettings).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct DeadlineSettings {
    /// Seconds an HTTP/2 connection may be without an open stream. Answers to pings do not prolong it.
    pub idle_s: u64,
    /// Seconds without progress of a write, after which the connection or HTTP/2 stream is closed: the client does not read.
    /// Holds for answers, SSE and WebSocket.
    pub write_s: u64,
    /// Bytes a second a JSON body must arrive with on average, once `body_grace_s` have passed.
    pub body_bytes_per_s: u64,
    /// Seconds before `body_bytes_per_s` applies.
    pub body_grace_s: u64,
    /// Bytes of a request's body that are read and discarded after an answer that was given without reading it.
    pub unread_body_bytes: usize,
    /// Seconds for which such a body is read and discarded.
    pub unread_body_s: u64,
    /// Milliseconds that a stalled client gets when the server stops: one that neither reads nor goes on sending.
    pub stop_stalled_ms: u64,
}

impl Default for DeadlineSettings {
    fn default() -> Self {
        Self {
            idle_s: 60,
            write_s: 30,
            body_bytes_per_s: 128,
            body_grace_s: 10,
            unread_body_bytes: 32 << 20,
            unread_body_s: 10,
            stop_stalled_ms: 2000,
        }
    }
}

impl DeadlineSettings {
    /// As [`DeadlineSettings::idle_s`].
    #[must_use]
    pub fn idle(&self) -> Duration {
        Duration::from_secs(self.idle_s.max(1))
    }

    /// As [`DeadlineSettings::write_s`].
    #[must_use]
    pub fn write(&self) -> Duration {
        Duration::from_secs(self.write_s.max(1))
    }

    /// As [`DeadlineSettings::unread_body_s`].
    #[must_use]
    pub fn unread_body(&self) -> Duration {
        Duration::from_secs(self.unread_body_s)
    }

    /// As [`DeadlineSettings::stop_stalled_ms`].
    #[must_use]
    pub fn stop_stalled(&self) -> Duration {
        Duration::from_millis(self.stop_stalled_ms)
    }

    /// When a body must have arrived of which `bytes` are there, if it was begun at `begun` and may take `total`.
    pub(crate) fn body_due(&self, begun: tokio::time::Instant, total: Duration, bytes: usize) -> tokio::time::Instant {
        let earned = Duration::from_secs_f64(bytes as f64 / self.body_bytes_per_s.max(1) as f64);
        begun + total.min(Duration::from_secs(self.body_grace_s).saturating_add(earned))
    }
}
