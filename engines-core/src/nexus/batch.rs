//! Batches of writes that a store commits atomically.

use super::{DocumentKind, NewDocument};
use crate::{
    audit::AuditEntry,
    clock::Timestamp,
    event::CleanEvent,
    id::DocId,
    stream::{NewEvent, Seq, StreamKey},
};

/// The precondition of a document write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// The document does not exist.
    Absent,
    /// The document exists at exactly this version.
    Version(u64),
    /// The document exists, at any version.
    Present,
    /// No precondition.
    Any,
}

/// The precondition of an append: the stream's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpectedHead {
    /// No precondition: the events are appended to whatever the stream holds.
    Any,
    /// The head is exactly this sequence number; 0 means an empty stream.
    Seq(Seq),
}

/// The partition a write goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Partition {
    /// The batch's own scope.
    #[default]
    Own,
    /// The control plane's scope ([`crate::Scope::system`]); allowed only in a batch made by [`Batch::spanning`].
    System,
}

/// One write of a batch.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Write {
    /// Writes a document.
    Put {
        /// The partition the document is written to.
        partition: Partition,
        /// The document to write.
        document: NewDocument,
        /// The precondition; the commit fails if it does not hold.
        expect: Expect,
    },
    /// Deletes a document. Under [`Expect::Any`], deleting a document that does not exist is not an error.
    Delete {
        /// The partition the document is in.
        partition: Partition,
        /// The document's kind.
        kind: DocumentKind,
        /// The document's id.
        id: DocId,
        /// The precondition; the commit fails if it does not hold.
        expect: Expect,
    },
    /// Appends events to a stream, in order; at least one event.
    Append {
        /// The stream.
        key: StreamKey,
        /// The precondition on the stream's head.
        expected: ExpectedHead,
        /// The events to append.
        events: Vec<NewEvent>,
    },
    /// Removes a stream's events before `first`, for retention. The head does not change.
    Trim {
        /// The stream.
        key: StreamKey,
        /// The oldest event to keep; at most one past the head.
        first: Seq,
    },
    /// Deletes a stream permanently; see [`Batch::delete_stream`].
    DeleteStream {
        /// The stream.
        key: StreamKey,
    },
    /// Writes nothing, but requires that the stream was not deleted; see [`Batch::expect_stream`].
    ExpectStream {
        /// The stream.
        key: StreamKey,
    },
    /// Stores a dataset event and adds it to the outbox.
    Record {
        /// The scrubbed event.
        event: Box<CleanEvent>,
        /// Makes this event idempotent, independently of the other writes of the batch; see
        /// [`Batch::record_idempotent`].
        idempotency: Option<Box<Idempotency>>,
    },
    /// Stores an audit record.
    Audit(AuditEntry),
}

/// Makes a batch idempotent. A second batch with the same scope, namespace and key writes nothing: it gets the first
/// batch's receipt if its fingerprint is the same, and is rejected otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Idempotency {
    /// The namespace in which the key is unique, such as `canvas/c1`.
    pub namespace: String,
    /// The key the client chose.
    pub key: String,
    /// SHA-256 of the request, to detect that a key is reused for another request.
    pub fingerprint: [u8; 32],
    /// A note of at most 1 KiB that is stored with the receipt and returned with it.
    pub note: String,
}

/// Writes in one scope that take effect all together or not at all.
#[derive(Debug, Clone)]
pub struct Batch {
    at: Timestamp,
    spanning: bool,
    idempotency: Option<Idempotency>,
    writes: Vec<Write>,
}

impl Batch {
    /// Makes an empty batch with the time `at`.
    #[must_use]
    pub fn new(at: Timestamp) -> Self {
        Self { at, spanning: false, idempotency: None, writes: Vec::new() }
    }

    /// Makes an empty batch that may also write documents of the control plane. Only identity uses it, so that a
    /// membership and the index of its user always agree.
    #[must_use]
    pub fn spanning(at: Timestamp) -> Self {
        Self { spanning: true, ..Self::new(at) }
    }

    /// Makes the batch idempotent; see [`Idempotency`].
    #[must_use]
    pub fn with_idempotency(mut self, once: Idempotency) -> Self {
        self.idempotency = Some(once);
        self
    }

    /// Adds the write of a document.
    #[must_use]
    pub fn put(mut self, document: NewDocument, expect: Expect) -> Self {
        self.writes.push(Write::Put { partition: Partition::Own, document, expect });
        self
    }

    /// Adds the deletion of a document.
    #[must_use]
    pub fn delete(mut self, kind: DocumentKind, id: impl Into<DocId>, expect: Expect) -> Self {
        self.writes.push(Write::Delete { partition: Partition::Own, kind, id: id.into(), expect });
        self
    }

    /// Adds the write of a control-plane document. [`super::Capabilities::check`] rejects it unless the batch was made by
    /// [`Batch::spanning`].
    #[must_use]
    pub fn put_system(mut self, document: NewDocument, expect: Expect) -> Self {
        self.writes.push(Write::Put { partition: Partition::System, document, expect });
        self
    }

    /// Adds the deletion of a control-plane document, under the same rule as [`Batch::put_system`].
    #[must_use]
    pub fn delete_system(mut self, kind: DocumentKind, id: impl Into<DocId>, expect: Expect) -> Self {
        self.writes.push(Write::Delete { partition: Partition::System, kind, id: id.into(), expect });
        self
    }

    /// Adds an append of events to a stream. [`super::Capabilities::check`] rejects an append without events.
    #[must_use]
    pub fn append(mut self, key: StreamKey, expected: ExpectedHead, events: Vec<NewEvent>) -> Self {
        self.writes.push(Write::Append { key, expected, events });
        self
    }

    /// Adds the removal of a stream's events before `first`.
    #[must_use]
    pub fn trim(mut self, key: StreamKey, first: Seq) -> Self {
        self.writes.push(Write::Trim { key, first });
        self
    }

    /// Adds the permanent deletion of a stream, whether or not it has events.
    ///
    /// From this commit on, no reader gets any of its events, [`super::StreamHead::deleted`] is set, and every batch
    /// that appends to the stream, expects it ([`Batch::expect_stream`]) or deletes it again fails with
    /// [`super::FailedPrecondition::Deleted`]. So an append is either acknowledged before the deletion, and deleted
    /// with the stream, or rejected. The name stays taken until the whole scope is removed, so that no cursor or
    /// idempotency key of the old stream can be applied to a new one.
    ///
    /// The backend removes the events in the background, and also the receipts whose [`Idempotency::namespace`] is the
    /// stream's key or begins with the key and `/`.
    #[must_use]
    pub fn delete_stream(mut self, key: StreamKey) -> Self {
        self.writes.push(Write::DeleteStream { key });
        self
    }

    /// Requires that a stream was not deleted; a stream that never had events qualifies. Use it for documents that
    /// belong to a stream, so that none of them outlives a concurrent deletion of the stream. A batch that appends to
    /// the stream does not need it, because an append implies it.
    #[must_use]
    pub fn expect_stream(mut self, key: StreamKey) -> Self {
        self.writes.push(Write::ExpectStream { key });
        self
    }

    /// Adds a dataset event. Only the PII engine makes a [`CleanEvent`], so an unscrubbed event cannot be stored.
    #[must_use]
    pub fn record(mut self, event: CleanEvent) -> Self {
        self.writes.push(Write::Record { event: Box::new(event), idempotency: None });
        self
    }

    /// Adds a dataset event that is idempotent by itself, independently of the other writes of the batch. Many events
    /// of many callers can so share one batch and one wait, although some of them were recorded before.
    ///
    /// The key counts as if a batch of its own with [`Batch::with_idempotency`] had recorded the event; a key used in
    /// one way is also found in the other. Of two events with one key in a batch, the first is stored. A key that was
    /// used before is not a failure: its event is not written, and [`super::EventOutcome`] reports this.
    #[must_use]
    pub fn record_idempotent(mut self, event: CleanEvent, once: Idempotency) -> Self {
        self.writes.push(Write::Record { event: Box::new(event), idempotency: Some(Box::new(once)) });
        self
    }

    /// Adds an audit record, if `entry` is one.
    #[must_use]
    pub fn audit(mut self, entry: impl Into<Option<AuditEntry>>) -> Self {
        self.writes.extend(entry.into().map(Write::Audit));
        self
    }

    /// The time of the batch.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// The batch's idempotency key, if it has one.
    #[must_use]
    pub fn idempotency(&self) -> Option<&Idempotency> {
        self.idempotency.as_ref()
    }

    /// The writes, in order.
    #[must_use]
    pub fn writes(&self) -> &[Write] {
        &self.writes
    }

    /// Splits the batch into its time, its idempotency key and its writes.
    #[must_use]
    pub fn into_parts(self) -> (Timestamp, Option<Idempotency>, Vec<Write>) {
        (self.at, self.idempotency, self.writes)
    }

    /// Whether the batch has no writes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// The approximate size of the batch's content in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.writes.iter().map(Write::size).sum()
    }

    pub(super) fn is_spanning(&self) -> bool {
        self.spanning
    }
}

impl Write {
    /// The approximate size of the write's content in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Self::Put { document, .. } => {
                document.body.get().len() + document.tags.iter().map(String::len).sum::<usize>()
            }
            Self::Delete { .. } | Self::Trim { .. } | Self::DeleteStream { .. } | Self::ExpectStream { .. } => 0,
            Self::Append { events, .. } => events.iter().map(NewEvent::size).sum(),
            Self::Record { event, .. } => event.size(),
            Self::Audit(entry) => entry.resource.len(),
        }
    }
}
