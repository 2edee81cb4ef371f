//! The structural edits, applied by the `json-patch` crate.
//!
//! That crate adds or removes a `null`, and the value itself is swapped in or out. So nothing is cloned, the previous
//! value is kept for undoing, and an edit that fails changes nothing (the crate's own `move` loses the value when its
//! target does not exist).

use json_patch::jsonptr::{Pointer, PointerBuf};
use json_patch::{AddOperation, PatchOperation, RemoveOperation, patch_unsafe};
use serde_json::{Number, Value};

use super::error::{OpErrorKind, OpFault};

/// A place where a value can be put.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// A value exists there and is replaced.
    Occupied,
    /// A new member of an object.
    Member,
    /// A new element of an array at this index.
    Element(usize),
}

/// What `add` at this path would do. With `overwrite`, an existing array element is replaced instead of inserted
/// before.
pub(super) fn find_slot(doc: &Value, path: &Pointer, overwrite: bool) -> Result<Slot, OpFault> {
    let Some((parent, last)) = path.split_back() else {
        return Ok(Slot::Occupied);
    };
    match doc.pointer(parent.as_str()) {
        Some(Value::Object(members)) if members.contains_key(last.decoded().as_ref()) => Ok(Slot::Occupied),
        Some(Value::Object(_)) => Ok(Slot::Member),
        Some(Value::Array(items)) => {
            let index = last.to_index().ok().and_then(|i| i.for_len_incl(items.len()).ok());
            match index {
                Some(at) if overwrite && at < items.len() => Ok(Slot::Occupied),
                Some(at) => Ok(Slot::Element(at)),
                None => Err(path_not_found(path)),
            }
        }
        _ => Err(path_not_found(path)),
    }
}

/// Puts a value into a slot that [`find_slot`] found; returns the previous value, or the value itself if there is no
/// such slot.
pub(super) fn put_into_slot(
    doc: &mut Value,
    path: &Pointer,
    slot: &Slot,
    value: Value,
) -> Result<Option<Value>, Value> {
    if *slot == Slot::Occupied {
        return match doc.pointer_mut(path.as_str()) {
            Some(there) => Ok(Some(std::mem::replace(there, value))),
            None => Err(value),
        };
    }
    let path = resolve_path(path, slot);
    let add = PatchOperation::Add(AddOperation { path, value: Value::Null });
    if patch_unsafe(doc, std::slice::from_ref(&add)).is_err() {
        return Err(value);
    }
    match doc.pointer_mut(add.path().as_str()) {
        Some(there) => {
            *there = value;
            Ok(None)
        }
        None => Err(value),
    }
}

/// Removes a value from its object or array; `None` if there is none, and for the root.
pub(super) fn remove_value(doc: &mut Value, path: &Pointer) -> Option<Value> {
    let value = doc.pointer_mut(path.as_str())?.take();
    let remove = PatchOperation::Remove(RemoveOperation { path: path.to_owned() });
    if patch_unsafe(doc, std::slice::from_ref(&remove)).is_err() {
        *doc.pointer_mut(path.as_str())? = value;
        return None;
    }
    Some(value)
}

/// The path with an array's `-` replaced by the index it stood for.
pub(super) fn resolve_path(path: &Pointer, slot: &Slot) -> PointerBuf {
    let mut path = path.to_owned();
    if let Slot::Element(at) = slot {
        path.pop_back();
        path.push_back(*at);
    }
    path
}

pub(super) fn path_not_found(path: &Pointer) -> OpFault {
    OpFault::at_path(OpErrorKind::PathNotFound, "no such place", path)
}

/// Equality by RFC 6902 §4.6: numbers are compared by value, so that `1` equals `1.0`.
pub(super) fn values_equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => numbers_equal(left, right),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(l, r)| values_equal(l, r))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len() && left.iter().all(|(key, l)| right.get(key).is_some_and(|r| values_equal(l, r)))
        }
        _ => left == right,
    }
}

fn numbers_equal(left: &Number, right: &Number) -> bool {
    left == right || (left.is_f64() || right.is_f64()) && left.as_f64() == right.as_f64()
}
