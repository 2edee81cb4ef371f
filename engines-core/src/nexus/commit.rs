//! What a commit answers.

use serde::{Deserialize, Serialize};
use ulid::Ulid;

use super::DocumentKind;
use crate::{
    code::Code,
    error::Error,
    id::DocId,
    stream::{Seq, StreamKey},
};

/// What an append did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppendReceipt {
    /// The stream.
    pub key: StreamKey,
    /// The first new event's place.
    pub first: Seq,
    /// The last one's.
    pub last: Seq,
    /// The id of the last one.
    pub event_id: Ulid,
}

/// What became of one dataset event of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventOutcome {
    /// It was kept at this place.
    Kept(Seq),
    /// Its key had been used for the same before: this is the first one's place and note, and nothing was written.
    Replayed {
        /// The first one's place.
        seq: Seq,
        /// The note of the first one's [`super::Idempotency`].
        note: String,
    },
    /// Its key had been used for something else, so it was not kept.
    Mismatch,
}

impl EventOutcome {
    /// Its place, or that of the one it repeats.
    #[must_use]
    pub fn seq(&self) -> Option<Seq> {
        match self {
            Self::Kept(seq) | Self::Replayed { seq, .. } => Some(*seq),
            Self::Mismatch => None,
        }
    }

    /// What the second of two events with one key is told, of the receipt and fingerprint kept for the first: for backends.
    #[must_use]
    pub fn from_first_receipt(first: &CommitReceipt, fingerprint: &[u8; 32], wanted: &[u8; 32]) -> Self {
        match first.recorded.first().and_then(Self::seq) {
            Some(seq) if fingerprint == wanted => Self::Replayed { seq, note: first.note.clone() },
            _ => Self::Mismatch,
        }
    }
}

/// What a commit did. Durable when it is returned.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitReceipt {
    /// The new version of each written document, in the batch's order; 0 for a deletion.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<u64>,
    /// What each append did, in the batch's order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub appended: Vec<AppendReceipt>,
    /// What became of each dataset event, in the batch's order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recorded: Vec<EventOutcome>,
    /// The note of the batch's [`super::Idempotency`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// The batch had been committed before: this is the first receipt, and nothing was written now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replayed: bool,
}

/// Which precondition did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FailedPrecondition {
    /// A document's.
    Document {
        /// Its family.
        kind: DocumentKind,
        /// Its id.
        id: DocId,
        /// The version it has now; none if it does not exist.
        version: Option<u64>,
    },
    /// A stream's.
    Stream {
        /// The stream.
        key: StreamKey,
        /// The head it has now.
        head: Seq,
    },
    /// The stream was deleted.
    Deleted {
        /// The stream.
        key: StreamKey,
    },
}

/// Why a commit failed. Except for [`CommitError::Unknown`], nothing of the batch is stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// A precondition did not hold; the first that did not, in the batch's order.
    #[error("write {index} of the batch expected something else: {failed:?}")]
    Precondition {
        /// Which write of the batch.
        index: usize,
        /// What it found instead.
        failed: FailedPrecondition,
    },
    /// The idempotency key was used with another fingerprint.
    #[error("the idempotency key was used for something else")]
    IdempotencyMismatch,
    /// The batch is outside the backend's limits.
    #[error(transparent)]
    Refused(Error),
    /// The backend failed before it wrote anything: nothing of the batch is stored, and it may be committed again.
    #[error(transparent)]
    Backend(Error),
    /// The backend failed and cannot tell whether the batch is stored, as when its answer was lost or a sync to disk failed.
    /// Build the error with [`Error::outcome_unknown`]. With an idempotency key the batch may be committed again; without one
    /// that could store it twice.
    #[error(transparent)]
    Unknown(Error),
}

impl From<CommitError> for Error {
    /// For callers without a better answer: the codes of the wire contract's table.
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
