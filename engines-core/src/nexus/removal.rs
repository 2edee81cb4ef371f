//! Removing what is stored: what a bounded step of [`super::Store::remove`] takes away, and how far it got.

use crate::{clock::Timestamp, event::EventFilter};

/// What to remove of one scope.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Removal {
    /// Dataset events.
    Events {
        /// Those that match this filter; the default filter matches all.
        filter: EventFilter,
        /// Only those whose [`super::FeedItem::position`] is not beyond this one, so that sinks get what they have not yet
        /// got; none for no such limit.
        delivered: Option<u64>,
    },
    /// Receipts of idempotency keys, from the oldest on, up to the first that is not older than `before`. A key whose receipt is gone
    /// takes effect once more.
    Receipts {
        /// The time of the batch ([`super::Batch::at`]) from which on receipts are kept.
        before: Timestamp,
    },
    /// Audit records, from the oldest on, up to the first that is not older than `before`. The newest record is always kept, so that
    /// the numbers of records go on.
    Audit {
        /// The time of the record from which on records are kept.
        before: Timestamp,
    },
    /// Everything: documents, streams and the names of deleted ones, events, receipts, audit records. When it is done, the scope is as if
    /// nothing had ever been stored in it. Whoever calls this makes sure that nothing is written to the scope any more; what is
    /// written meanwhile may survive.
    Scope,
}

/// What one step of [`super::Store::remove`] did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RemovalProgress {
    /// How many stored things were removed: events, receipts, records, documents.
    pub removed: u64,
    /// Where the next step of the same removal goes on.
    pub position: Option<String>,
    /// Nothing is left to remove.
    pub done: bool,
}
