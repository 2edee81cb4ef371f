//! Documents of reusable tickets: the ticket, and an entry in an index ordered by expiry.

use std::time::Duration;

use engines_core::{
    Batch, DocId, Result, Timestamp,
    nexus::{DocumentKind, Expect},
};
use serde::{Deserialize, Serialize};
use ulid::Ulid;

use crate::identity::{
    documents::{TicketBody, TicketInfo},
    records,
};

/// Reusable tickets by id.
pub(crate) const STREAM_TICKET: DocumentKind = DocumentKind::from_static("identity_stream_ticket");
/// The index of reusable tickets, ordered by expiry. A renewal does not change the entry. It is moved when its time has
/// come.
pub(crate) const STREAM_TICKET_END: DocumentKind = DocumentKind::from_static("identity_stream_ticket_end");

/// A reusable ticket.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StreamTicketBody {
    #[serde(flatten)]
    pub(crate) grant: TicketBody,
    /// Seconds until the ticket expires after each use.
    pub(crate) ttl_s: u64,
    /// The log whose cursors are used with the ticket.
    pub(crate) log: [u8; 8],
}

/// An entry of the index: the id of the ticket.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct StreamTicketEnd {
    pub(crate) ticket: Ulid,
}

impl StreamTicketBody {
    /// Returns the expiry after a use now.
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

/// Adds the index entry of a ticket that expires then.
pub(crate) fn put_end(batch: Batch, ticket: Ulid, expires_at: Timestamp) -> Result<Batch> {
    let id = DocId::new(format!("{}:{ticket}", sortable_time(expires_at)))?;
    records::put(batch, STREAM_TICKET_END, id, &[], &StreamTicketEnd { ticket }, Expect::Any)
}

/// Returns the last id of the index whose time has come.
pub(crate) fn last_ended(now: Timestamp) -> Result<DocId> {
    DocId::new(sortable_time(now))
}

/// Returns a time as text that sorts by time.
fn sortable_time(at: Timestamp) -> String {
    format!("{:015}", at.as_millis().max(0))
}
