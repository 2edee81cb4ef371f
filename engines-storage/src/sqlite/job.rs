//! A batch on its way to the writer. What can be worked out on the caller's thread is worked out here, because the writer is one.

use std::sync::{Arc, Mutex};

use engines_core::{
    DocId, Error, Scope, Timestamp,
    audit::AuditEntry,
    event::CleanEvent,
    nexus::{Batch, CommitError, Expect, ExpectedHead, Kind, NewDocument, Realm, Receipt, Removal, Removed, Write},
    stream::{NewEvent, Seq, StreamKey},
};
use tokio::sync::oneshot;

use super::{archive, once::Keyed, streams};

/// What a batch is answered with.
pub(super) type Answer = Result<Receipt, CommitError>;

/// Bytes a write costs besides its content, roughly; for the queue's limit.
const OVERHEAD: usize = 256;

/// A batch, and who waits for it.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) scope: Scope,
    pub(super) at: Timestamp,
    pub(super) once: Option<Keyed>,
    pub(super) steps: Vec<Step>,
    /// Bytes, roughly.
    pub(super) size: usize,
    pub(super) answer: oneshot::Sender<(Answer, Vec<Step>)>,
}

/// One write, ready for its statements.
#[derive(Debug)]
pub(super) enum Step {
    Put {
        realm: Realm,
        document: Arc<NewDocument>,
        tags: String,
        expect: Expect,
    },
    Delete {
        realm: Realm,
        kind: Kind,
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
    Remove(Arc<RemovalStep>),
    Reclaim,
    Record {
        event: Box<CleanEvent>,
        pii_flags: String,
        once: Option<Box<Keyed>>,
    },
    Audit(AuditRow),
    /// Changes a number that means nothing, to find out whether a write reaches the disk.
    Probe,
    Archive(Box<archive::Step>),
}

/// One step of a removal, and what it did once it is committed.
#[derive(Debug)]
pub(super) struct RemovalStep {
    pub(super) removal: Removal,
    pub(super) limit: usize,
    /// Where it begins.
    pub(super) after: i64,
    pub(super) outcome: Mutex<Removed>,
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

impl Job {
    /// Takes a batch apart.
    pub(super) fn new(
        scope: &Scope,
        batch: Batch,
        answer: oneshot::Sender<(Answer, Vec<Step>)>,
    ) -> Result<Self, CommitError> {
        let size = batch.size();
        let (at, once, writes) = batch.into_parts();
        let steps = writes.into_iter().map(|write| Step::new(scope, write)).collect::<Result<Vec<_>, _>>()?;
        let count: usize = steps.iter().map(Step::rows).sum();
        let once = once.map(|once| Keyed::new(scope, once));
        Ok(Self { scope: scope.clone(), at, once, size: size + OVERHEAD * (count + 1), steps, answer })
    }

    /// As [`Job::new`], with a step of the archive side before the batch; `size` is the step's.
    pub(super) fn archive(
        scope: &Scope,
        step: archive::Step,
        batch: Batch,
        size: usize,
        answer: oneshot::Sender<(Answer, Vec<Step>)>,
    ) -> Result<Self, CommitError> {
        let mut job = Self::new(scope, batch, answer)?;
        job.steps.insert(0, Step::Archive(Box::new(step)));
        job.size += size;
        Ok(job)
    }

    /// A job of one step that no batch can hold. It writes nothing that has a time.
    pub(super) fn of_step(scope: &Scope, step: Step, answer: oneshot::Sender<(Answer, Vec<Step>)>) -> Self {
        let at = Timestamp::from_millis(0);
        Self { scope: scope.clone(), at, once: None, size: OVERHEAD, steps: vec![step], answer }
    }
}

impl Step {
    fn new(scope: &Scope, write: Write) -> Result<Self, CommitError> {
        let failed = |error: serde_json::Error| CommitError::Refused(Error::internal("sqlite.commit", error));
        Ok(match write {
            Write::Put { realm, document, expect } => {
                let tags = serde_json::to_string(&document.tags).map_err(failed)?;
                Self::Put { realm, document: Arc::new(document), tags, expect }
            }
            Write::Delete { realm, kind, id, expect } => Self::Delete { realm, kind, id, expect },
            Write::Append { key, expected, events } => {
                let row = |event| Ok(EventRow { attributes: streams::attributes(&event).map_err(failed)?, event });
                Self::Append { key, expected, events: events.into_iter().map(row).collect::<Result<_, _>>()? }
            }
            Write::Trim { key, first } => Self::Trim { key, first },
            Write::DeleteStream { key } => Self::DeleteStream { key },
            Write::ExpectStream { key } => Self::ExpectStream { key },
            Write::Record { event, once } => {
                let pii_flags = serde_json::to_string(event.pii_flags()).map_err(failed)?;
                let once = once.map(|once| Box::new(Keyed::new(scope, *once)));
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

    fn rows(&self) -> usize {
        match self {
            Self::Append { events, .. } => events.len(),
            _ => 1,
        }
    }
}
