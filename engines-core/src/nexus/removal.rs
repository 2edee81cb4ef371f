//! Removal of stored data in bounded steps, for [`super::Store::remove`].

use crate::{clock::Timestamp, event::EventFilter};

/// Selects what to remove from one scope.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Removal {
    /// Dataset events.
    Events {
        /// Removes only events that match this filter; the default filter matches all events.
        filter: EventFilter,
        /// Removes only events whose [`super::FeedItem::position`] is not beyond this one, so that no event is removed
        /// before the sinks have received it; `None` for no such limit.
        delivered: Option<u64>,
    },
    /// Receipts of idempotency keys, oldest first, up to the first that is not older than `before`. A request with a
    /// key whose receipt was removed takes effect again.
    Receipts {
        /// Receipts of batches with this time ([`super::Batch::at`]) or a later one are kept.
        before: Timestamp,
    },
    /// Audit records, oldest first, up to the first that is not older than `before`. The newest record is always kept,
    /// so that the numbering of records continues.
    Audit {
        /// Audit records with this time or a later one are kept.
        before: Timestamp,
    },
    /// All data: documents, streams and the names of deleted streams, events, receipts, audit records. When the removal
    /// is done, the scope is as if nothing had ever been stored in it. The caller makes sure that nothing writes to the
    /// scope any more; data written meanwhile may survive.
    Scope,
}

/// The result of one step of [`super::Store::remove`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RemovalProgress {
    /// The number of removed items: events, receipts, records, documents.
    pub removed: u64,
    /// The position at which the next step of the same removal continues.
    pub position: Option<String>,
    /// Whether nothing is left to remove.
    pub done: bool,
}
