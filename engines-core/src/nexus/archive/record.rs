//! The records of a scope's archive.

use serde::{Deserialize, Serialize};

use crate::{
    audit::AuditEntry,
    clock::Timestamp,
    event::StoredEvent,
    nexus::{CommitReceipt, Document, Idempotency, StreamHead},
    stream::{Seq, StreamEvent, StreamKey},
};

/// A part of a scope. The order of its records is part of the contract: two stores with the same content give the same
/// sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Section {
    /// One record: the counters of the scope's logs.
    Counters,
    /// Documents by kind, then id, in byte order.
    Documents,
    /// Streams with their heads, by key.
    Streams,
    /// The stored events of all streams, by key, then sequence number.
    StreamEvents,
    /// Dataset events by sequence number.
    Events,
    /// Audit records by number.
    Audit,
    /// Receipts of idempotency keys, in the order in which they were written.
    Receipts,
}

impl Section {
    /// All sections, in an order in which they can be staged.
    pub const ALL: [Self; 7] =
        [Self::Counters, Self::Documents, Self::Streams, Self::StreamEvents, Self::Events, Self::Audit, Self::Receipts];

    /// The section's name in archives.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counters => "counters",
            Self::Documents => "documents",
            Self::Streams => "streams",
            Self::StreamEvents => "stream_events",
            Self::Events => "events",
            Self::Audit => "audit",
            Self::Receipts => "receipts",
        }
    }

    /// Reads a section's name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|section| section.as_str() == name)
    }
}

/// The counters of a scope's logs. Numbers of deleted items are not used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScopeCounters {
    /// The sequence number of the last dataset event.
    pub events: Seq,
    /// The number of the last audit record.
    pub audit: u64,
}

/// The stored receipt of an idempotent batch or event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredReceipt {
    /// The idempotency key; its `note` is that of the receipt.
    pub idempotency: Idempotency,
    /// The receipt that was returned.
    pub receipt: CommitReceipt,
    /// The time of the batch.
    pub at: Timestamp,
}

/// One stored item of a scope, exactly as it is stored.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "most records of a scope are of the large variants, and pages are short")]
pub enum ArchiveRecord {
    /// The counters of the scope's logs.
    Counters(ScopeCounters),
    /// A document, with its version and times.
    Document(Document),
    /// A stream and its head. Its events are separate records.
    Stream(StreamKey, StreamHead),
    /// An event of a stream.
    StreamEvent(StreamKey, StreamEvent),
    /// A dataset event, with its position in the feed if it is in the feed.
    Event(Option<u64>, StoredEvent),
    /// An audit record and its number in the scope. Numbers begin at 1 and rise; gaps are deleted records.
    Audit(u64, AuditEntry),
    /// A receipt of an idempotency key.
    Receipt(StoredReceipt),
}

impl ArchiveRecord {
    /// The section the record belongs to.
    #[must_use]
    pub fn section(&self) -> Section {
        match self {
            Self::Counters(_) => Section::Counters,
            Self::Document(_) => Section::Documents,
            Self::Stream(..) => Section::Streams,
            Self::StreamEvent(..) => Section::StreamEvents,
            Self::Event(..) => Section::Events,
            Self::Audit(..) => Section::Audit,
            Self::Receipt(_) => Section::Receipts,
        }
    }

    /// The approximate size of the record's content in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Self::Counters(_) | Self::Stream(..) => 0,
            Self::Document(document) => {
                document.body.get().len() + document.tags.iter().map(String::len).sum::<usize>()
            }
            Self::StreamEvent(_, event) => event.event.size(),
            Self::Event(_, event) => event.body.get().len(),
            Self::Audit(_, entry) => entry.resource.len(),
            Self::Receipt(kept) => {
                kept.idempotency.namespace.len() + kept.idempotency.key.len() + kept.receipt.note.len()
            }
        }
    }
}
