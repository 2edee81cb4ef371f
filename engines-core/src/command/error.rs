//! Errors of ops: what is wrong, and with which op.

use std::fmt;

use json_patch::jsonptr::Pointer;

/// The most bytes of a pointer that an error repeats.
const MAX_POINTER_BYTES: usize = 128;

/// What is wrong with an op. The names are stable: clients may match on [`OpErrorKind::as_str`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OpErrorKind {
    /// The list of ops is not a JSON array, or an op is not a JSON object.
    Malformed,
    /// The reducer does not know the name in `op`.
    UnknownOp,
    /// A required member is missing.
    MissingField,
    /// A member has the wrong type.
    WrongType,
    /// A member occurs twice.
    DuplicateField,
    /// `path` or `from` is not a JSON Pointer (RFC 6901).
    InvalidPointer,
    /// There is no value at the path, or no place for one: no such member, no such index, no container.
    PathNotFound,
    /// The value at the path of a `test` differs from the expected one.
    TestFailed,
    /// A text position or range lies beyond the end of the text.
    PositionOutOfRange,
    /// A text op's target is not a string.
    NotText,
    /// A value would be moved into itself.
    MoveIntoSelf,
    /// The document would be nested deeper than allowed.
    TooDeep,
    /// The document, or what the batch writes, would be larger than allowed.
    TooLarge,
    /// The batch has more ops than allowed.
    TooManyOps,
    /// An integer beyond ±(2⁵³ − 1): not every client could read it exactly (RFC 7493 §2.2).
    NumberOutOfRange,
    /// A [`Reducer`](super::Reducer) does not allow this op.
    Refused,
}

impl OpErrorKind {
    /// The kind's stable name in snake_case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::UnknownOp => "unknown_op",
            Self::MissingField => "missing_field",
            Self::WrongType => "wrong_type",
            Self::DuplicateField => "duplicate_field",
            Self::InvalidPointer => "invalid_pointer",
            Self::PathNotFound => "path_not_found",
            Self::TestFailed => "test_failed",
            Self::PositionOutOfRange => "position_out_of_range",
            Self::NotText => "not_text",
            Self::MoveIntoSelf => "move_into_self",
            Self::TooDeep => "too_deep",
            Self::TooLarge => "too_large",
            Self::TooManyOps => "too_many_ops",
            Self::NumberOutOfRange => "number_out_of_range",
            Self::Refused => "refused",
        }
    }
}

impl fmt::Display for OpErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is wrong with one op, without its index in the batch.
///
/// `detail` is for people. It names the field or the pointer (cut to 128 bytes) and repeats nothing else of the
/// request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail} ({kind})")]
pub struct OpFault {
    /// What is wrong.
    pub kind: OpErrorKind,
    /// A description for people.
    pub detail: String,
}

impl OpFault {
    /// Makes a fault of this kind. `detail` must not repeat what the user sent.
    pub fn new(kind: OpErrorKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }

    /// Makes a fault at a place in the document; the pointer is appended, cut to 128 bytes.
    #[must_use]
    pub fn at_path(kind: OpErrorKind, what: &str, path: &Pointer) -> Self {
        Self { kind, detail: format!("{what}: \"{}\"", truncate_pointer(path.as_str())) }
    }

    /// Makes the fault of a reducer that rejects an op ([`OpErrorKind::Refused`]).
    pub fn refused(detail: impl Into<String>) -> Self {
        Self::new(OpErrorKind::Refused, detail)
    }

    /// Adds the index of the op in the batch, counted from 0.
    #[must_use]
    pub fn with_index(self, index: usize) -> OpError {
        OpError { index, kind: self.kind, detail: self.detail }
    }
}

/// The first op of a batch that cannot be parsed or applied, and why. The state is unchanged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("op {index}: {detail} ({kind})")]
pub struct OpError {
    /// The index of the op, counted from 0.
    pub index: usize,
    /// What is wrong.
    pub kind: OpErrorKind,
    /// A description for people; see [`OpFault`].
    pub detail: String,
}

/// The prefix of `pointer` that an error may repeat: at most 128 bytes, cut between characters.
fn truncate_pointer(pointer: &str) -> &str {
    let mut end = pointer.len().min(MAX_POINTER_BYTES);
    while !pointer.is_char_boundary(end) {
        end -= 1;
    }
    pointer.get(..end).unwrap_or_default()
}
