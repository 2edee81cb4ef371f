//! The inverse of an edit.

use json_patch::jsonptr::PointerBuf;
use serde_json::Value;

use super::patch::{find_slot, put_into_slot, remove_value};

/// The inverse of one edit. Paths are resolved: they have no `-`, and indices are those at the time of the edit.
#[derive(Debug)]
pub(super) enum Undo {
    /// A new value was put at `path`.
    Added { path: PointerBuf },
    /// The value `old` at `path` was replaced.
    Replaced { path: PointerBuf, old: Value },
    /// The value `old` at `path` was removed.
    Removed { path: PointerBuf, old: Value },
    /// The value at `from` was moved to `path`, where it replaced `old`, if anything.
    Moved { from: PointerBuf, path: PointerBuf, old: Option<Value> },
    /// In the string at `path`, from byte `at` on, `removed` was replaced by `inserted` bytes.
    Spliced { path: PointerBuf, at: usize, inserted: usize, removed: String },
}

impl Undo {
    /// Reverts the edit. All later edits must have been reverted before.
    pub(super) fn revert(self, doc: &mut Value) {
        match self {
            Self::Added { path } => {
                remove_value(doc, &path);
            }
            Self::Replaced { path, old } => restore_replaced(doc, &path, old),
            Self::Removed { path, old } => restore_removed(doc, &path, old),
            Self::Moved { from, path, old } => {
                let value = match old {
                    Some(old) => doc.pointer_mut(path.as_str()).map(|at| std::mem::replace(at, old)),
                    None => remove_value(doc, &path),
                };
                if let Some(value) = value {
                    restore_removed(doc, &from, value);
                }
            }
            Self::Spliced { path, at, inserted, removed } => {
                if let Some(Value::String(text)) = doc.pointer_mut(path.as_str()) {
                    text.replace_range(at..at + inserted, &removed);
                }
            }
        }
    }
}

fn restore_replaced(doc: &mut Value, path: &PointerBuf, value: Value) {
    let there = doc.pointer_mut(path.as_str());
    debug_assert!(there.is_some(), "what was replaced is still there");
    if let Some(there) = there {
        *there = value;
    }
}

fn restore_removed(doc: &mut Value, path: &PointerBuf, value: Value) {
    let done = find_slot(doc, path, false).map(|slot| put_into_slot(doc, path, &slot, value));
    debug_assert!(matches!(done, Ok(Ok(None))), "what was removed has a place to go back to");
}
