//! What is kept of reusable tickets: the ticket itself, and an entry of an index by the time it ends.

use std::time::Duration;

use engines_core::{
    Batch, DocId, Result, Timestamp,
    nexus::{DocumentKind, Expect},
};
use serde::{Deserialize, Serialize};
use ulid::Ulid;

use crate::identity::{TicketBody, records};

/// Reusable tickets, by id.
pub(crate) const STREAM_TICKET: DocumentKind = DocumentKind::from_static("identity_stream_ticket");
/// When reusable tickets end, in the order of time. A renewal leaves the entry where it is; it is moved when its time has come.
pub(crate) const STREAM_TICKET_END: DocumentKind = DocumentKind::from_static("identity_stream_ticket_end");

/// A reusable ticket.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StreamTicketBody {
    #[serde(flatten)]
    pub(crate) grant: TicketBody,
    /// Seconds it is good after each use.
    pub(crate) ttl_s: u64,
    /// The log whose cursors it is used with.
    pub(crate) log: [u8; 8],
}

/// What a reader of the index needs to find the ticket.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct StreamTicketEnd {
    pub(crate) ticket: Ulid,
}

/// What is remembered of a reusable ticket for a short time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TicketInfo {
    pub(crate) expires_at: Timestamp,
    pub(crate) ttl: Duration,
    /// Whether it can be made to last longer: not where the credential behind it ends.
    pub(crate) renewable: bool,
}

impl StreamTicketBody {
    /// Until when it is good if it is used now.
    pub(crate) fn renewed(&self, now: Timestamp) -> Timestamp {
        let end = now.plus(Duration::from_secs(self.ttl_s));
        self.grant.until.map_or(end, |until| end.min(until))
    }

    pub(crate) fn info(&self) -> TicketInfo {
        TicketInfo {
            expires_at: self.grant.expires_at,
            ttl: Duration::from_secs(self.ttl_s),
            renewable: self.grant.until.is_none_or(|until| self.grant.expires_at < until),
        }
    }

    /// Adds the ticket to a batch.
    pub(crate) fn put(&self, batch: Batch, id: impl Into<DocId>, expect: Expect) -> Result<Batch> {
        let tags = [records::user_tag(&self.grant.user_id)];
        records::put(batch, STREAM_TICKET, id, &tags, self, expect)
    }
}

/// Adds the entry of the index for a ticket that ends then.
pub(crate) fn put_end(batch: Batch, ticket: Ulid, expires_at: Timestamp) -> Result<Batch> {
    let id = DocId::new(format!("{}:{ticket}", sortable_time(expires_at)))?;
    records::put(batch, STREAM_TICKET_END, id, &[], &StreamTicketEnd { ticket }, Expect::Any)
}

/// The last id of the index whose time has come.
pub(crate) fn last_ended(now: Timestamp) -> Result<DocId> {
    DocId::new(sortable_time(now))
}

/// A time as text that sorts like it.
fn sortable_time(at: Timestamp) -> String {
    format!("{:015}", at.as_millis().max(0))
}
