//! What a scope holds, record by record.

use serde::{Deserialize, Serialize};

use crate::{
    audit::AuditEntry,
    clock::Timestamp,
    event::StoredEvent,
    nexus::{CommitReceipt, Document, Idempotency, StreamHead},
    stream::{Seq, StreamEvent, StreamKey},
};

/// A part of a scope. The order of its records is part of the contract, so that two stores with the same content give the same sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Section {
    /// One record: how far the scope's logs have counted.
    Counters,
    /// Documents by kind and id, in byte order.
    Documents,
    /// Streams with their ends, by key.
    Streams,
    /// The kept events of all streams, by key and sequence.
    StreamEvents,
    /// Dataset events by sequence.
    Events,
    /// Audit records by number.
    Audit,
    /// Receipts of what took effect once, in the order they were written.
    Receipts,
}

impl Section {
    /// All sections, in an order in which they can be staged.
    pub const ALL: [Self; 7] =
        [Self::Counters, Self::Documents, Self::Streams, Self::StreamEvents, Self::Events, Self::Audit, Self::Receipts];

    /// The name in archives.
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

    /// Reads a name of archives.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|section| section.as_str() == name)
    }
}

/// How far a scope's logs have counted. Numbers of what was deleted are not given again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScopeCounters {
    /// The sequence of the last dataset event.
    pub events: Seq,
    /// The number of the last audit record.
    pub audit: u64,
}

/// The receipt of a batch or an event that took effect once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredReceipt {
    /// What it was given for; its `note` is that of the receipt.
    pub idempotency: Idempotency,
    /// What was answered.
    pub receipt: CommitReceipt,
    /// When.
    pub at: Timestamp,
}

/// One thing a scope holds, exactly as it is stored.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "most records of a scope are of the large variants, and pages are short")]
pub enum ArchiveRecord {
    /// How far the scope's logs have counted.
    Counters(ScopeCounters),
    /// A document, with its version and times.
    Document(Document),
    /// A stream and its ends. Its events are records of their own.
    Stream(StreamKey, StreamHead),
    /// An event of a stream.
    StreamEvent(StreamKey, StreamEvent),
    /// A dataset event, with its position in the feed if it is in the feed.
    Event(Option<u64>, StoredEvent),
    /// An audit record and its number in the scope: from 1, rising; gaps are what was deleted.
    Audit(u64, AuditEntry),
    /// A receipt of what took effect once.
    Receipt(StoredReceipt),
}

impl ArchiveRecord {
    /// The section it belongs to.
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

    /// Bytes of content, roughly.
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
