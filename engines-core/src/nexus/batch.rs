//! A batch: everything that must be true together, written together.

use serde::{Deserialize, Serialize};

use super::{DocumentKind, NewDocument};
use crate::{
    audit::AuditEntry,
    clock::Timestamp,
    event::CleanEvent,
    id::DocId,
    stream::{NewEvent, Seq, StreamKey},
};

/// What a document write expects to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// No document.
    Absent,
    /// A document at exactly this version.
    Version(u64),
    /// Some document, of any version.
    Present,
    /// Anything or nothing.
    Any,
}

/// What an append expects the stream's head to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpectedHead {
    /// Anything: the events go behind whatever is there.
    Any,
    /// Exactly this; 0 for an empty stream.
    Seq(Seq),
}

/// In whose space a write lands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Partition {
    /// The batch's own scope.
    #[default]
    Own,
    /// The control plane's ([`crate::Scope::system`]); only in a batch made by [`Batch::spanning`].
    System,
}

/// One write of a batch.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Write {
    /// Write a document.
    Put {
        /// Whose.
        partition: Partition,
        /// What.
        document: NewDocument,
        /// On which condition.
        expect: Expect,
    },
    /// Delete a document. Deleting what is not there is no error under [`Expect::Any`].
    Delete {
        /// Whose.
        partition: Partition,
        /// Its family.
        kind: DocumentKind,
        /// Its id.
        id: DocId,
        /// On which condition.
        expect: Expect,
    },
    /// Append events to a stream, in order; at least one.
    Append {
        /// The stream.
        key: StreamKey,
        /// On which condition.
        expected: ExpectedHead,
        /// What.
        events: Vec<NewEvent>,
    },
    /// Forget a stream's events before `first`: retention. The head stays where it is.
    Trim {
        /// The stream.
        key: StreamKey,
        /// The oldest event to keep; at most one past the head.
        first: Seq,
    },
    /// Delete a stream for good: see [`Batch::delete_stream`].
    DeleteStream {
        /// The stream.
        key: StreamKey,
    },
    /// Write nothing, but require that a stream was not deleted: see [`Batch::expect_stream`].
    ExpectStream {
        /// The stream.
        key: StreamKey,
    },
    /// Keep a dataset event; it also goes to the outbox.
    Record {
        /// What.
        event: Box<CleanEvent>,
        /// Makes this one event take effect once, and leaves the rest of the batch alone: see [`Batch::record_once`].
        idempotency: Option<Box<Idempotency>>,
    },
    /// Keep an audit record.
    Audit(AuditEntry),
}

/// Makes a batch take effect once. A second batch of the same scope, realm and key gets the first one's
/// receipt if its fingerprint is the same, and is refused otherwise; either way it writes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Idempotency {
    /// What the key is unique in, such as `canvas/c1`.
    pub namespace: String,
    /// The client's key.
    pub key: String,
    /// SHA-256 over what was asked for.
    pub fingerprint: [u8; 32],
    /// A short note kept with the receipt and returned with it, at most 1 KiB.
    pub note: String,
}

/// Writes that take effect all together or not at all, in one scope.
#[derive(Debug, Clone)]
pub struct Batch {
    at: Timestamp,
    spanning: bool,
    idempotency: Option<Idempotency>,
    writes: Vec<Write>,
}

impl Batch {
    /// An empty batch, written at this time.
    #[must_use]
    pub fn new(at: Timestamp) -> Self {
        Self { at, spanning: false, idempotency: None, writes: Vec::new() }
    }

    /// A batch that may also write documents of the control plane. For identity alone, so that a membership and
    /// its user's index never disagree.
    #[must_use]
    pub fn spanning(at: Timestamp) -> Self {
        Self { spanning: true, ..Self::new(at) }
    }

    /// Makes it take effect once.
    #[must_use]
    pub fn with_idempotency(mut self, once: Idempotency) -> Self {
        self.idempotency = Some(once);
        self
    }

    /// Writes a document.
    #[must_use]
    pub fn put(mut self, document: NewDocument, expect: Expect) -> Self {
        self.writes.push(Write::Put { partition: Partition::Own, document, expect });
        self
    }

    /// Deletes a document.
    #[must_use]
    pub fn delete(mut self, kind: DocumentKind, id: impl Into<DocId>, expect: Expect) -> Self {
        self.writes.push(Write::Delete { partition: Partition::Own, kind, id: id.into(), expect });
        self
    }

    /// Writes a document of the control plane; refused by [`Batch::check`] unless the batch is [`Batch::spanning`].
    #[must_use]
    pub fn put_system(mut self, document: NewDocument, expect: Expect) -> Self {
        self.writes.push(Write::Put { partition: Partition::System, document, expect });
        self
    }

    /// Deletes a document of the control plane; as [`Batch::put_system`].
    #[must_use]
    pub fn delete_system(mut self, kind: DocumentKind, id: impl Into<DocId>, expect: Expect) -> Self {
        self.writes.push(Write::Delete { partition: Partition::System, kind, id: id.into(), expect });
        self
    }

    /// Appends events to a stream; at least one, or [`Batch::check`] refuses it.
    #[must_use]
    pub fn append(mut self, key: StreamKey, expected: ExpectedHead, events: Vec<NewEvent>) -> Self {
        self.writes.push(Write::Append { key, expected, events });
        self
    }

    /// Forgets a stream's events before `first`.
    #[must_use]
    pub fn trim(mut self, key: StreamKey, first: Seq) -> Self {
        self.writes.push(Write::Trim { key, first });
        self
    }

    /// Deletes a stream for good, whether or not it has events.
    ///
    /// From this commit on no reader gets one of its events, [`super::Head::deleted`] is set, and every batch that appends to
    /// the stream, expects it ([`Batch::expect_stream`]) or deletes it again fails with [`super::Failed::Deleted`]. So an append is
    /// either acknowledged before the deletion, and deleted with it, or refused. The name stays taken until the whole scope is removed,
    /// so that no cursor or idempotency key of the old stream can be applied to a new one.
    ///
    /// The backend removes the events, and the receipts whose [`Idempotency::realm`] is the stream's key or begins with the key and `/`,
    /// in the background.
    #[must_use]
    pub fn delete_stream(mut self, key: StreamKey) -> Self {
        self.writes.push(Write::DeleteStream { key });
        self
    }

    /// Requires that a stream was not deleted; a stream that never had events qualifies. For documents that belong to a stream,
    /// so that a deletion at the same time leaves none of them behind. Batches that append need it not: an append implies it.
    #[must_use]
    pub fn expect_stream(mut self, key: StreamKey) -> Self {
        self.writes.push(Write::ExpectStream { key });
        self
    }

    /// Keeps a dataset event. Only a [`CleanEvent`] will do, and only the PII engine makes one.
    #[must_use]
    pub fn record(mut self, event: CleanEvent) -> Self {
        self.writes.push(Write::Record { event: Box::new(event), idempotency: None });
        self
    }

    /// As [`Batch::record`], for an event that takes effect once, whatever becomes of the rest of the batch: many events of many callers,
    /// some of them seen before, share one batch and one wait. The key counts as if the event had been recorded by a batch of its
    /// own with [`Batch::once`], also if one of the two came by the one way and the other by the other; of two events with one key in
    /// a batch the first is kept. A key that was used before is no failure: its event is not written, and [`super::EventOutcome`] says so.
    #[must_use]
    pub fn record_idempotent(mut self, event: CleanEvent, once: Idempotency) -> Self {
        self.writes.push(Write::Record { event: Box::new(event), idempotency: Some(Box::new(once)) });
        self
    }

    /// Keeps an audit record, if there is one.
    #[must_use]
    pub fn audit(mut self, entry: impl Into<Option<AuditEntry>>) -> Self {
        self.writes.extend(entry.into().map(Write::Audit));
        self
    }

    /// When it is written.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// Whether, and how, it takes effect once.
    #[must_use]
    pub fn idempotency(&self) -> Option<&Idempotency> {
        self.idempotency.as_ref()
    }

    /// The writes, in order.
    #[must_use]
    pub fn writes(&self) -> &[Write] {
        &self.writes
    }

    /// Takes it apart: time, once, writes.
    #[must_use]
    pub fn into_parts(self) -> (Timestamp, Option<Idempotency>, Vec<Write>) {
        (self.at, self.idempotency, self.writes)
    }

    /// Whether it has no writes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// Bytes of content it holds, roughly.
    #[must_use]
    pub fn size(&self) -> usize {
        self.writes.iter().map(Write::size).sum()
    }

    /// What every backend checks first: that it is within `limits`, and that only a spanning batch writes to the control plane.
    ///
    /// # Errors
    /// [`super::CommitError::Refused`], saying which limit.
    pub fn check(&self, limits: &super::Capabilities) -> Result<(), super::CommitError> {
        limits.check(self)
    }

    pub(super) fn is_spanning(&self) -> bool {
        self.spanning
    }
}

impl Write {
    /// Bytes of content, roughly.
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
