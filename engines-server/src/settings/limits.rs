//! The settings of budgets and deadlines.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Limits on work in progress. An address is one IPv4 address or one IPv6 /64. The addresses of an IPv6 /48 together
/// may use twice as much as one of them, but at most three quarters of the total, unless one address may use more. For
/// connections it is the address of the peer, and peers in `http.trusted_proxies` are exempt. For requests it is the
/// address of the client, as a trusted proxy reports it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct BudgetSettings {
    /// Connections of one address. A further one gets 503 and is closed.
    pub connections_per_address: usize,
    /// Connections without an authenticated request. A further one closes the oldest of them. By default, three
    /// quarters of `http.max_connections`.
    pub anonymous_connections: Option<usize>,
    /// Connections of one address without an authenticated request. A further one closes the oldest of them.
    pub anonymous_connections_per_address: usize,
    /// Open HTTP/2 streams of one address, over all of its connections. A further one gets 503.
    pub http2_streams_per_address: usize,
    /// Requests of one address that are handled at the same time, as a part of `http.max_in_flight`. A further one gets
    /// 503.
    pub in_flight_per_address: usize,
    /// Requests to other routes without a credential that are handled at the same time. They are not counted in
    /// `http.max_in_flight`.
    pub anonymous_in_flight: usize,
    /// Requests of one address to other routes without a credential that are handled at the same time.
    pub anonymous_in_flight_per_address: usize,
    /// Requests that are handled at the same time by routes that hash a password, such as `/auth/login`. They are not
    /// counted in `anonymous_in_flight`, so that waiting for a hash does not block other routes. The number must be
    /// larger than the hashes that may wait (`identity.password.queue`) and the logins that may wait for an attempt
    /// (`identity.login_waiting`).
    pub password_in_flight: usize,
    /// Requests of one address that are handled at the same time by routes that hash a password.
    pub password_in_flight_per_address: usize,
    /// Requests to `/auth/refresh` that are handled at the same time. They are not counted in `anonymous_in_flight`.
    pub refresh_in_flight: usize,
    /// Requests of one address to `/auth/refresh` that are handled at the same time.
    pub refresh_in_flight_per_address: usize,
    /// Bodies that are being received from authenticated clients. A further one ends the oldest with 503.
    pub bodies: usize,
    /// Bodies that are being received from authenticated clients of one address. A further one ends the oldest with
    /// 503.
    pub bodies_per_address: usize,
    /// Bytes of bodies that are being received from authenticated clients. A body that exceeds them gets 503.
    pub body_bytes: usize,
    /// Bytes of bodies that are being received from authenticated clients of one address.
    pub body_bytes_per_address: usize,
    /// Bodies that are being received by routes without a credential. A further one ends the oldest with 503.
    pub anonymous_bodies: usize,
    /// Bodies of one address that are being received by routes without a credential. A further one ends the oldest with
    /// 503.
    pub anonymous_bodies_per_address: usize,
    /// Bytes of bodies that are being received by routes without a credential. A body that exceeds them gets 503.
    pub anonymous_body_bytes: usize,
    /// Bytes of bodies of one address that are being received by routes without a credential.
    pub anonymous_body_bytes_per_address: usize,
    /// Batches of lines that are being received. They are not counted in `http.max_in_flight`. A further one gets 503.
    pub batches: usize,
    /// Batches of lines of one address that are being received.
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
    /// Seconds that an HTTP/2 connection may be without an open stream. Replies to pings do not extend them.
    pub idle_s: u64,
    /// Seconds without progress of a write, after which the connection or HTTP/2 stream is closed because the client
    /// reads too slowly or not at all. A waiting write makes progress when a third of the send buffer is free, and on an
    /// HTTP/2 stream when the client has taken a frame of 16 KiB. Applies to responses, server-sent events and
    /// WebSockets.
    pub write_s: u64,
    /// Bytes per second at which a JSON body must arrive on average after `body_grace_s`.
    pub body_bytes_per_s: u64,
    /// Seconds before `body_bytes_per_s` applies.
    pub body_grace_s: u64,
    /// Bytes of a request's body that are read and discarded after a response that did not wait for the body.
    pub unread_body_bytes: usize,
    /// Seconds for which such a body is read and discarded.
    pub unread_body_s: u64,
    /// Milliseconds for a stalled client when the server stops: one that neither reads nor continues to send.
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
    /// Returns [`DeadlineSettings::idle_s`] as a duration.
    #[must_use]
    pub fn idle(&self) -> Duration {
        Duration::from_secs(self.idle_s.max(1))
    }

    /// Returns [`DeadlineSettings::write_s`] as a duration.
    #[must_use]
    pub fn write(&self) -> Duration {
        Duration::from_secs(self.write_s.max(1))
    }

    /// Returns [`DeadlineSettings::unread_body_s`] as a duration.
    #[must_use]
    pub fn unread_body(&self) -> Duration {
        Duration::from_secs(self.unread_body_s)
    }

    /// Returns [`DeadlineSettings::stop_stalled_ms`] as a duration.
    #[must_use]
    pub fn stop_stalled(&self) -> Duration {
        Duration::from_millis(self.stop_stalled_ms)
    }

    /// Returns when the rest of a body must have arrived. It was begun at `begun`, may take `total`, and `bytes` of it
    /// have arrived.
    pub(crate) fn body_due(&self, begun: tokio::time::Instant, total: Duration, bytes: usize) -> tokio::time::Instant {
        let earned = Duration::from_secs_f64(bytes as f64 / self.body_bytes_per_s.max(1) as f64);
        begun + total.min(Duration::from_secs(self.body_grace_s).saturating_add(earned))
    }
}
