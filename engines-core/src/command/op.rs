//! The ops of a command.

use json_patch::PatchOperation;
use json_patch::jsonptr::{Pointer, PointerBuf};
use serde_json::{Map, Value};

/// One step of a command. On the wire it is an object tagged by `op`, such as
/// `{"op":"insert_text","path":"/title","pos":0,"text":"A "}`; serialising gives that form.
///
/// Deserialising accepts any op name (an unknown one becomes an [`Op::Custom`]), so that a log can be read whatever
/// reducer it was written for. Parse input of clients with [`parse_ops`](super::parse_ops), which rejects unknown names
/// and reports which op is wrong.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Op {
    /// RFC 6902 §4.1: adds a member to an object (replacing an existing one) or inserts an element into an array; `-`
    /// appends.
    Add {
        /// The place to add at.
        path: PointerBuf,
        /// The value to add; `null` is a value.
        value: Value,
    },
    /// RFC 6902 §4.2: removes the value at `path`, which must exist and not be the root.
    Remove {
        /// The place of the value.
        path: PointerBuf,
    },
    /// RFC 6902 §4.3: replaces the value at `path`, which must exist.
    Replace {
        /// The place of the value.
        path: PointerBuf,
        /// The new value.
        value: Value,
    },
    /// RFC 6902 §4.4: removes at `from`, then adds at `path`, which must not lie inside `from`.
    Move {
        /// The place the value is removed from.
        from: PointerBuf,
        /// The place it is added at, after the removal.
        path: PointerBuf,
    },
    /// RFC 6902 §4.5: adds at `path` a copy of the value at `from`.
    Copy {
        /// The place of the value to copy.
        from: PointerBuf,
        /// The place to add it at.
        path: PointerBuf,
    },
    /// RFC 6902 §4.6: fails the batch unless the value at `path` equals `value`.
    Test {
        /// The place of the value.
        path: PointerBuf,
        /// The expected value.
        value: Value,
    },
    /// Inserts text into the string at `path`.
    InsertText {
        /// The place of the string.
        path: PointerBuf,
        /// The character before which the text is inserted, in Unicode scalar values; the length appends.
        pos: usize,
        /// The text to insert.
        text: String,
    },
    /// Deletes a range from the string at `path`.
    DeleteRange {
        /// The place of the string.
        path: PointerBuf,
        /// The first character to delete, in Unicode scalar values.
        pos: usize,
        /// The number of characters to delete; all of them must exist.
        len: usize,
    },
    /// Replaces a range of the string at `path`.
    ReplaceTextRange {
        /// The place of the string.
        path: PointerBuf,
        /// The first character to replace, in Unicode scalar values.
        pos: usize,
        /// The number of characters to replace; all of them must exist.
        len: usize,
        /// The text that replaces them.
        text: String,
    },
    /// Creates or replaces the value at `path`. It never inserts between the elements of an array.
    SetToken {
        /// The place of the value.
        path: PointerBuf,
        /// The new value.
        value: Value,
    },
    /// An op of a custom [`Reducer`](super::Reducer). [`JsonReducer`](super::JsonReducer) rejects it.
    Custom(CustomOp),
}

/// An op that only a custom reducer understands.
#[derive(Debug, Clone, PartialEq)]
pub struct CustomOp {
    /// The name, from the member `op`.
    pub name: String,
    /// The place the op works on. What it changes should lie at or below this path (or `from`), because
    /// [`rebase`](super::rebase) considers only the paths.
    pub path: PointerBuf,
    /// A second place, if the op names one.
    pub from: Option<PointerBuf>,
    /// All other members, as sent.
    pub fields: Map<String, Value>,
}

impl Op {
    /// The op's name: the member `op`.
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

    /// The place the op works on: the member `path`.
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

    /// The place the op takes a value from: the member `from`.
    #[must_use]
    pub fn from(&self) -> Option<&Pointer> {
        match self {
            Self::Move { from, .. } | Self::Copy { from, .. } => Some(from),
            Self::Custom(op) => op.from.as_deref(),
            _ => None,
        }
    }

    /// Every place the op names: `path`, then `from` if it has one.
    pub fn paths(&self) -> impl Iterator<Item = &Pointer> {
        std::iter::once(self.path()).chain(self.from())
    }
}

/// Converts an op of a JSON Patch that was made elsewhere, for instance by `json_patch::diff`.
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
