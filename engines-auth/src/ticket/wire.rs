//! Requests and responses about tickets.

use engines_core::Timestamp;
use serde::{Deserialize, Serialize};

use crate::secret::SecretText;

/// `POST /auth/tickets`.
#[derive(Debug, Deserialize)]
pub struct TicketRequest {
    /// The path it is for. It may have the query `?streams=` with the names of the streams to follow, and no other.
    pub path: String,
    /// Seconds it is good. One that is used once: 1 to 60, default 30. A reusable one: 1 to 3,600 after each use, default 600.
    #[serde(default)]
    pub ttl_s: Option<u64>,
    /// Whether it may be used more than once. Default: it may not.
    #[serde(default)]
    pub reuse: Option<TicketReuse>,
}

impl TicketRequest {
    /// For a ticket that is used once.
    #[must_use]
    pub fn once(path: impl Into<String>) -> Self {
        Self { path: path.into(), ttl_s: None, reuse: None }
    }

    /// For a ticket that opens the stream again and again.
    #[must_use]
    pub fn reusable(path: impl Into<String>) -> Self {
        Self { path: path.into(), ttl_s: None, reuse: Some(TicketReuse::Stream) }
    }
}

/// For what a ticket may be used more than once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TicketReuse {
    /// For opening its stream again, as an `EventSource` does by itself.
    Stream,
}

/// A ticket that was just made. The ticket itself is shown this once.
#[derive(Debug, Serialize)]
pub struct TicketResponse {
    /// What to send as `?ticket=`.
    pub ticket: SecretText,
    /// Its id, which ends a reusable ticket (`DELETE /auth/tickets/{id}`).
    pub ticket_id: String,
    /// Seconds it is good.
    pub expires_in: u64,
    /// When it ends. A reusable ticket ends that long after its last use.
    pub expires_at: Timestamp,
    /// Present for a reusable ticket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reuse: Option<TicketReuse>,
}
