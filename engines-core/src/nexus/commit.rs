//! The results of a commit: receipts and errors.

use serde::{Deserialize, Serialize};
use ulid::Ulid;

use super::DocumentKind;
use crate::{
    code::Code,
    error::Error,
    id::DocId,
    stream::{Seq, StreamKey},
};

/// The result of one append.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppendReceipt {
    /// The stream that was appended to.
    pub key: StreamKey,
    /// The sequence number of the first new event.
    pub first: Seq,
    /// The sequence number of the last new event.
    pub last: Seq,
    /// The id of the last new event.
    pub event_id: Ulid,
}

/// The result of recording one dataset event of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventOutcome {
    /// The event was stored at this sequence number.
    Kept(Seq),
    /// The event's key was used before with the same fingerprint, so nothing was written.
    Replayed {
        /// The sequence number of the first event with this key.
        seq: Seq,
        /// The note of the first event's [`super::Idempotency`].
        note: String,
    },
    /// The event's key was used before with another fingerprint, so the event was not stored.
    Mismatch,
}

impl EventOutcome {
    /// The event's sequence number, or that of the event it repeats; `None` for [`EventOutcome::Mismatch`].
    #[must_use]
    pub fn seq(&self) -> Option<Seq> {
        match self {
            Self::Kept(seq) | Self::Replayed { seq, .. } => Some(*seq),
            Self::Mismatch => None,
        }
    }

    /// For backends: the outcome of an event whose key was used before, made from the first event's receipt and its
    /// fingerprint; `wanted` is the fingerprint of the new event.
    #[must_use]
    pub fn from_first_receipt(first: &CommitReceipt, fingerprint: &[u8; 32], wanted: &[u8; 32]) -> Self {
        match first.recorded.first().and_then(Self::seq) {
            Some(seq) if fingerprint == wanted => Self::Replayed { seq, note: first.note.clone() },
            _ => Self::Mismatch,
        }
    }
}

/// The result of a commit. The commit is durable when its receipt is returned.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitReceipt {
    /// The new version of each written document, in the batch's order; 0 for a deletion.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<u64>,
    /// The result of each append, in the batch's order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub appended: Vec<AppendReceipt>,
    /// The result of each dataset event, in the batch's order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recorded: Vec<EventOutcome>,
    /// The note of the batch's [`super::Idempotency`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// The batch had been committed before: this is the receipt of the first commit, and nothing was written now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replayed: bool,
}

/// The precondition that did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FailedPrecondition {
    /// A document's version.
    Document {
        /// The document's kind.
        kind: DocumentKind,
        /// The document's id.
        id: DocId,
        /// The document's current version; `None` if it does not exist.
        version: Option<u64>,
    },
    /// A stream's head.
    Stream {
        /// The stream.
        key: StreamKey,
        /// The stream's current head.
        head: Seq,
    },
    /// The stream was deleted permanently.
    Deleted {
        /// The deleted stream.
        key: StreamKey,
    },
}

/// Why a commit failed. Except for [`CommitError::Unknown`], nothing of the batch is stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// The first precondition that did not hold, in the batch's order.
    #[error("write {index} of the batch expected something else: {failed:?}")]
    Precondition {
        /// The index of the write in the batch.
        index: usize,
        /// The state that was found.
        failed: FailedPrecondition,
    },
    /// The idempotency key was used before with another fingerprint.
    #[error("the idempotency key was used for something else")]
    IdempotencyMismatch,
    /// The batch exceeds a limit of the backend.
    #[error(transparent)]
    Refused(Error),
    /// The backend failed before it wrote anything: nothing of the batch is stored, and the batch may be committed
    /// again.
    #[error(transparent)]
    Backend(Error),
    /// The backend failed and cannot tell whether the batch is stored, for example because its answer was lost or a
    /// sync to disk failed. Build the error with [`Error::outcome_unknown`]. A batch with an idempotency key may be
    /// committed again; committing one without a key again could store it twice.
    #[error(transparent)]
    Unknown(Error),
}

impl From<CommitError> for Error {
    /// Maps the error to the codes of the wire contract, for callers that have no more specific answer.
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Precondition { failed: FailedPrecondition::Document { version: None, .. }, .. } => {
                Self::not_found("store.commit", "document")
            }
            CommitError::Precondition {
                failed: FailedPrecondition::Document { version: Some(version), .. }, ..
            } => Self::new(
                Code::VersionMismatch,
                "store.commit",
                "it was changed in the meantime; read it again and retry",
            )
            .with_member("version", version),
            CommitError::Precondition { failed: FailedPrecondition::Stream { head, .. }, .. } => {
                Self::new(Code::RevMismatch, "store.commit", "the stream has moved on; read it again and retry")
                    .with_member("head_rev", head.0)
            }
            CommitError::Precondition { failed: FailedPrecondition::Deleted { .. }, .. } => {
                Self::not_found("store.commit", "stream")
            }
            CommitError::IdempotencyMismatch => Self::new(
                Code::IdempotencyMismatch,
                "store.commit",
                "this idempotency key was used with another body; use a new key",
            ),
            CommitError::Refused(error) | CommitError::Backend(error) | CommitError::Unknown(error) => error,
        }
    }
}
