//! Batches on their way to the writer. They are prepared on the caller's thread, because there is only one writer.

use std::sync::{Arc, Mutex};

use engines_core::{
    DocId, Error, Scope, Timestamp,
    audit::AuditEntry,
    event::CleanEvent,
    nexus::{
        Batch, CommitError, CommitReceipt, DocumentKind, Expect, ExpectedHead, NewDocument, Partition, Removal,
        RemovalProgress, Write,
        archive::{ArchiveRecord, StoreMark},
    },
    stream::{NewEvent, Seq, StreamKey},
};
use tokio::sync::oneshot;

use super::{idempotency::HashedKey, streams};

/// The answer to a batch.
pub(super) type BatchAnswer = Result<CommitReceipt, CommitError>;

/// Approximate size of a write besides its content, for the limit of the queue.
const WRITE_OVERHEAD_BYTES: usize = 256;

/// A batch and the channel for its answer.
#[derive(Debug)]
pub(super) struct BatchJob {
    pub(super) scope: Scope,
    pub(super) at: Timestamp,
    pub(super) idempotency: Option<HashedKey>,
    pub(super) writes: Vec<PreparedWrite>,
    /// The approximate size in bytes.
    pub(super) size_bytes: usize,
    pub(super) answer: oneshot::Sender<(BatchAnswer, Vec<PreparedWrite>)>,
}

/// One write, with its column values prepared.
#[derive(Debug)]
pub(super) enum PreparedWrite {
    Put {
        realm: Partition,
        document: Arc<NewDocument>,
        tags: String,
        expect: Expect,
    },
    Delete {
        realm: Partition,
        kind: DocumentKind,
        id: DocId,
        expect: Expect,
    },
    Append {
        key: StreamKey,
        expected: ExpectedHead,
        events: Vec<EventRow>,
    },
    Trim {
        key: StreamKey,
        first: Seq,
    },
    DeleteStream {
        key: StreamKey,
    },
    ExpectStream {
        key: StreamKey,
    },
    Remove(Arc<RemovalWrite>),
    Reclaim,
    Record {
        event: Box<CleanEvent>,
        pii_flags: String,
        once: Option<Box<HashedKey>>,
    },
    Audit(AuditRow),
    /// Increments a counter that has no other use, to test whether a write reaches the disk.
    Probe,
    Archive(Box<ArchiveWrite>),
}

/// A write of the archive interface.
#[derive(Debug)]
pub(super) enum ArchiveWrite {
    /// Stage records after those staged before.
    Stage { scope: Scope, records: Vec<ArchiveRecord>, progress: String },
    /// Publish staged scopes.
    Publish { scopes: Vec<Scope>, mark: Option<StoreMark> },
    /// Delete some of the staged records of a scope.
    Discard { scope: Scope },
}

/// One step of a removal and, after the commit, its result.
#[derive(Debug)]
pub(super) struct RemovalWrite {
    pub(super) removal: Removal,
    pub(super) limit: usize,
    /// The position at which the step starts.
    pub(super) after: i64,
    pub(super) outcome: Mutex<RemovalProgress>,
}

/// A stream event with its column values.
#[derive(Debug)]
pub(super) struct EventRow {
    pub(super) event: NewEvent,
    pub(super) attributes: String,
}

/// An audit record with its column values.
#[derive(Debug)]
pub(super) struct AuditRow {
    pub(super) entry: AuditEntry,
    pub(super) trace_id: String,
    pub(super) span_id: String,
}

impl BatchJob {
    /// Prepares a batch.
    pub(super) fn new(
        scope: &Scope,
        batch: Batch,
        answer: oneshot::Sender<(BatchAnswer, Vec<PreparedWrite>)>,
    ) -> Result<Self, CommitError> {
        let size = batch.size();
        let (at, once, writes) = batch.into_parts();
        let steps = writes.into_iter().map(|write| PreparedWrite::new(scope, write)).collect::<Result<Vec<_>, _>>()?;
        let count: usize = steps.iter().map(PreparedWrite::row_count).sum();
        let once = once.map(|once| HashedKey::new(scope, once));
        Ok(Self {
            scope: scope.clone(),
            at,
            idempotency: once,
            size_bytes: size + WRITE_OVERHEAD_BYTES * (count + 1),
            writes: steps,
            answer,
        })
    }

    /// Like [`BatchJob::new`], with an archive write before the batch; `size` is the size of that write.
    pub(super) fn archive(
        scope: &Scope,
        step: ArchiveWrite,
        batch: Batch,
        size: usize,
        answer: oneshot::Sender<(BatchAnswer, Vec<PreparedWrite>)>,
    ) -> Result<Self, CommitError> {
        let mut job = Self::new(scope, batch, answer)?;
        job.writes.insert(0, PreparedWrite::Archive(Box::new(step)));
        job.size_bytes += size;
        Ok(job)
    }

    /// Creates a job for a single write that no batch can contain. The write must not store a time.
    pub(super) fn of_write(
        scope: &Scope,
        step: PreparedWrite,
        answer: oneshot::Sender<(BatchAnswer, Vec<PreparedWrite>)>,
    ) -> Self {
        let at = Timestamp::from_millis(0);
        Self {
            scope: scope.clone(),
            at,
            idempotency: None,
            size_bytes: WRITE_OVERHEAD_BYTES,
            writes: vec![step],
            answer,
        }
    }
}

impl PreparedWrite {
    fn new(scope: &Scope, write: Write) -> Result<Self, CommitError> {
        let failed = |error: serde_json::Error| CommitError::Refused(Error::internal("sqlite.commit", error));
        Ok(match write {
            Write::Put { partition: realm, document, expect } => {
                let tags = serde_json::to_string(&document.tags).map_err(failed)?;
                Self::Put { realm, document: Arc::new(document), tags, expect }
            }
            Write::Delete { partition: realm, kind, id, expect } => Self::Delete { realm, kind, id, expect },
            Write::Append { key, expected, events } => {
                let row =
                    |event| Ok(EventRow { attributes: streams::encode_attributes(&event).map_err(failed)?, event });
                Self::Append { key, expected, events: events.into_iter().map(row).collect::<Result<_, _>>()? }
            }
            Write::Trim { key, first } => Self::Trim { key, first },
            Write::DeleteStream { key } => Self::DeleteStream { key },
            Write::ExpectStream { key } => Self::ExpectStream { key },
            Write::Record { event, idempotency: once } => {
                let pii_flags = serde_json::to_string(event.pii_flags()).map_err(failed)?;
                let once = once.map(|once| Box::new(HashedKey::new(scope, *once)));
                Self::Record { event, pii_flags, once }
            }
            Write::Audit(entry) => Self::Audit(AuditRow {
                trace_id: entry.trace_id.to_string(),
                span_id: entry.span_id.to_string(),
                entry,
            }),
            _ => {
                let detail = "this backend does not support a write of the batch; update it";
                return Err(CommitError::Refused(Error::internal("sqlite.commit", detail)));
            }
        })
    }

    fn row_count(&self) -> usize {
        match self {
            Self::Append { events, .. } => events.len(),
            _ => 1,
        }
    }
}
