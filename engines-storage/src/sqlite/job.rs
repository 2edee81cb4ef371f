//! A batch on its way to the writer. What can be worked out on the caller's thread is worked out here, because the writer is one.

use std::sync::{Arc, Mutex};

use engines_core::{
    DocId, Error, Scope, Timestamp,
    audit::AuditEntry,
    event::CleanEvent,
    nexus::{
        Batch, CommitError, CommitReceipt, DocumentKind, Expect, ExpectedHead, NewDocument, Partition, Removal,
        RemovalProgress, Write,
    },
    stream::{NewEvent, Seq, StreamKey},
};
use tokio::sync::oneshot;

use super::{archive, idempotency::HashedKey, streams};

/// What a batch is answered with.
pub(super) type BatchAnswer = Result<CommitReceipt, CommitError>;

/// Bytes a write costs besides its content, roughly; for the queue's limit.
const WRITE_OVERHEAD_BYTES: usize = 256;

/// A batch, and who waits for it.
#[derive(Debug)]
pub(super) struct BatchJob {
    pub(super) scope: Scope,
    pub(super) at: Timestamp,
    pub(super) idempotency: Option<HashedKey>,
    pub(super) writes: Vec<PreparedWrite>,
    /// Bytes, roughly.
    pub(super) size_bytes: usize,
    pub(super) answer: oneshot::Sender<(BatchAnswer, Vec<PreparedWrite>)>,
}

/// One write, ready for its statements.
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
    /// Changes a number that means nothing, to find out whether a write reaches the disk.
    Probe,
    Archive(Box<archive::ArchiveWrite>),
}

/// One step of a removal, and what it did once it is committed.
#[derive(Debug)]
pub(super) struct RemovalWrite {
    pub(super) removal: Removal,
    pub(super) limit: usize,
    /// Where it begins.
    pub(super) after: i64,
    pub(super) outcome: Mutex<RemovalProgress>,
}

/// A stream event and the columns made from it.
#[derive(Debug)]
pub(super) struct EventRow {
    pub(super) event: NewEvent,
    pub(super) attributes: String,
}

/// An audit record and the columns made from it.
#[derive(Debug)]
pub(super) struct AuditRow {
    pub(super) entry: AuditEntry,
    pub(super) trace_id: String,
    pub(super) span_id: String,
}

impl BatchJob {
    /// Takes a batch apart.
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

    /// As [`Job::new`], with a step of the archive side before the batch; `size` is the step's.
    pub(super) fn archive(
        scope: &Scope,
        step: archive::ArchiveWrite,
        batch: Batch,
        size: usize,
        answer: oneshot::Sender<(BatchAnswer, Vec<PreparedWrite>)>,
    ) -> Result<Self, CommitError> {
        let mut job = Self::new(scope, batch, answer)?;
        job.writes.insert(0, PreparedWrite::Archive(Box::new(step)));
        job.size_bytes += size;
        Ok(job)
    }

    /// A job of one step that no batch can hold. It writes nothing that has a time.
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
                let detail = "this backend does not know a write of the batch; update it";
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
