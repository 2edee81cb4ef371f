//! What takes an edit back.

use json_patch::jsonptr::PointerBuf;
use serde_json::Value;

use super::patch::{find_slot, put_into_slot, remove_value};

/// One edit's inverse. Paths are settled: no `-`, indices as they were when the edit was made.
#[derive(Debug)]
pub(super) enum Undo {
    /// Something new was put at `path`.
    Added { path: PointerBuf },
    /// What was at `path` was replaced.
    Replaced { path: PointerBuf, old: Value },
    /// What was at `path` was removed.
    Removed { path: PointerBuf, old: Value },
    /// What was at `from` is at `path` now, where there may have been something.
    Moved { from: PointerBuf, path: PointerBuf, old: Option<Value> },
    /// In the string at `path`, from byte `at` on, `inserted` bytes stand for what was `removed`.
    Spliced { path: PointerBuf, at: usize, inserted: usize, removed: String },
}

impl Undo {
    /// Takes the edit back. Every later edit must have been taken back before.
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
