//! Requests and responses of the ticket routes.

use engines_core::Timestamp;
use serde::{Deserialize, Serialize};

use crate::secret::SecretText;

/// The body of `POST /auth/tickets`.
#[derive(Debug, Deserialize)]
pub struct TicketRequest {
    /// The path to open. It may have the query `?streams=` with the names of the streams to follow, and no other.
    pub path: String,
    /// The lifetime in seconds. A single-use ticket: 1 to 60, default 30. A reusable ticket: 1 to 3,600 after each use,
    /// default 600.
    #[serde(default)]
    pub ttl_s: Option<u64>,
    /// Whether the ticket may be used more than once. Default: it may not.
    #[serde(default)]
    pub reuse: Option<TicketReuse>,
}

impl TicketRequest {
    /// Creates a request for a single-use ticket.
    #[must_use]
    pub fn once(path: impl Into<String>) -> Self {
        Self { path: path.into(), ttl_s: None, reuse: None }
    }

    /// Creates a request for a reusable ticket.
    #[must_use]
    pub fn reusable(path: impl Into<String>) -> Self {
        Self { path: path.into(), ttl_s: None, reuse: Some(TicketReuse::Stream) }
    }
}

/// The purpose for which a ticket may be used more than once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TicketReuse {
    /// Opening its stream again, as an `EventSource` does by itself.
    Stream,
}

/// A new ticket. No other response holds its text.
#[derive(Debug, Serialize)]
pub struct TicketResponse {
    /// The ticket, to be sent as `?ticket=`.
    pub ticket: SecretText,
    /// The id of the ticket, with which it can be ended (`DELETE /auth/tickets/{id}`).
    pub ticket_id: String,
    /// Seconds until the ticket expires.
    pub expires_in: u64,
    /// The time at which the ticket expires. A use of a reusable ticket renews it.
    pub expires_at: Timestamp,
    /// Present for a reusable ticket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reuse: Option<TicketReuse>,
}
