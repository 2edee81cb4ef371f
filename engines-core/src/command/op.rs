//! The ops themselves.

use json_patch::PatchOperation;
use json_patch::jsonptr::{Pointer, PointerBuf};
use serde_json::{Map, Value};

/// One step of a command. On the wire it is an object tagged by `op`, such as
/// `{"op":"insert_text","path":"/title","pos":0,"text":"A "}`; serialising gives that form.
///
/// Deserialising takes any op name (an unknown one is an [`Op::Custom`]), so that a log can be
/// read back whoever's reducer it was written for. What comes from a client goes through
/// [`parse_ops`](super::parse_ops), which knows better and says which op was wrong.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Op {
    /// RFC 6902 §4.1: puts a value into an object (replacing what is there) or inserts it into an
    /// array; `-` appends.
    Add {
        /// Where.
        path: PointerBuf,
        /// What; `null` is a value.
        value: Value,
    },
    /// RFC 6902 §4.2: removes the value at `path`, which must exist and not be the root.
    Remove {
        /// Where.
        path: PointerBuf,
    },
    /// RFC 6902 §4.3: replaces the value at `path`, which must exist.
    Replace {
        /// Where.
        path: PointerBuf,
        /// By what.
        value: Value,
    },
    /// RFC 6902 §4.4: removes at `from`, then adds at `path`, which must not lie inside `from`.
    Move {
        /// Where from.
        from: PointerBuf,
        /// Where to, once the value at `from` is gone.
        path: PointerBuf,
    },
    /// RFC 6902 §4.5: adds at `path` what is at `from`.
    Copy {
        /// Where from.
        from: PointerBuf,
        /// Where to.
        path: PointerBuf,
    },
    /// RFC 6902 §4.6: fails the batch unless the value at `path` equals `value`.
    Test {
        /// Where.
        path: PointerBuf,
        /// What should be there.
        value: Value,
    },
    /// Inserts into the string at `path`.
    InsertText {
        /// The string's place.
        path: PointerBuf,
        /// Before which character, in Unicode scalar values; the length appends.
        pos: usize,
        /// What to insert.
        text: String,
    },
    /// Deletes from the string at `path`.
    DeleteRange {
        /// The string's place.
        path: PointerBuf,
        /// The first character deleted, in Unicode scalar values.
        pos: usize,
        /// How many; all of them must be there.
        len: usize,
    },
    /// Replaces a part of the string at `path`.
    ReplaceTextRange {
        /// The string's place.
        path: PointerBuf,
        /// The first character replaced, in Unicode scalar values.
        pos: usize,
        /// How many; all of them must be there.
        len: usize,
        /// What to put there.
        text: String,
    },
    /// Makes or replaces the value at `path`. Never inserts between an array's elements.
    SetToken {
        /// Where.
        path: PointerBuf,
        /// The value it then has.
        value: Value,
    },
    /// An op of a [`Reducer`](super::Reducer)'s own. [`JsonReducer`](super::JsonReducer) refuses it.
    Custom(CustomOp),
}

/// An op that only a user's own reducer understands.
#[derive(Debug, Clone, PartialEq)]
pub struct CustomOp {
    /// The name, from the member `op`.
    pub name: String,
    /// The place it works on. What it changes should lie at or below this (or `from`), since
    /// [`rebase`](super::rebase) goes by the paths alone.
    pub path: PointerBuf,
    /// A second place, if it names one.
    pub from: Option<PointerBuf>,
    /// All other members, as sent.
    pub fields: Map<String, Value>,
}

impl Op {
    /// The name in the member `op`.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Add { .. } => "add",
            Self::Remove { .. } => "remove",
            Self::Replace { .. } => "replace",
            Self::Move { .. } => "move",
            Self::Copy { .. } => "copy",
            Self::Test { .. } => "test",
            Self::InsertText { .. } => "insert_text",
            Self::DeleteRange { .. } => "delete_range",
            Self::ReplaceTextRange { .. } => "replace_text_range",
            Self::SetToken { .. } => "set_token",
            Self::Custom(op) => &op.name,
        }
    }

    /// The place it works on: the member `path`.
    #[must_use]
    pub fn path(&self) -> &Pointer {
        match self {
            Self::Add { path, .. }
            | Self::Remove { path }
            | Self::Replace { path, .. }
            | Self::Move { path, .. }
            | Self::Copy { path, .. }
            | Self::Test { path, .. }
            | Self::InsertText { path, .. }
            | Self::DeleteRange { path, .. }
            | Self::ReplaceTextRange { path, .. }
            | Self::SetToken { path, .. } => path,
            Self::Custom(op) => &op.path,
        }
    }

    /// The place it takes something from: the member `from`.
    #[must_use]
    pub fn from(&self) -> Option<&Pointer> {
        match self {
            Self::Move { from, .. } | Self::Copy { from, .. } => Some(from),
            Self::Custom(op) => op.from.as_deref(),
            _ => None,
        }
    }

    /// Every place it names: `path`, then `from` where it has one.
    pub fn paths(&self) -> impl Iterator<Item = &Pointer> {
        std::iter::once(self.path()).chain(self.from())
    }
}

/// A JSON Patch made elsewhere, by `json_patch::diff` for instance, as ops.
impl From<PatchOperation> for Op {
    fn from(operation: PatchOperation) -> Self {
        match operation {
            PatchOperation::Add(op) => Self::Add { path: op.path, value: op.value },
            PatchOperation::Remove(op) => Self::Remove { path: op.path },
            PatchOperation::Replace(op) => Self::Replace { path: op.path, value: op.value },
            PatchOperation::Move(op) => Self::Move { from: op.from, path: op.path },
            PatchOperation::Copy(op) => Self::Copy { from: op.from, path: op.path },
            PatchOperation::Test(op) => Self::Test { path: op.path, value: op.value },
        }
    }
}
