//! The structural edits, carried out by the `json-patch` crate.
//!
//! It is given a `null` to add or remove, and the value itself is swapped in or out: so nothing is
//! cloned, what was there is kept for undoing, and an edit that fails leaves no trace (the crate's
//! own `move` loses the value when its target turns out not to exist).

use json_patch::jsonptr::{Pointer, PointerBuf};
use json_patch::{AddOperation, PatchOperation, RemoveOperation, patch_unsafe};
use serde_json::{Number, Value};

use super::error::{OpErrorKind, OpFault};

/// A place where a value can be put.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// Something is there and is replaced.
    Occupied,
    /// A new member of an object.
    Member,
    /// A new element of an array at this index.
    Element(usize),
}

/// What `add` at this path would do. `overwrite` makes an existing array element one to replace
/// instead of one to insert before.
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

/// Puts a value into a slot that [`slot`] found; gives back what was there, or the value itself
/// should there be no such slot.
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

/// Takes a value out of its object or array; `None` where nothing is, and for the root.
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

/// Equality as RFC 6902 §4.6 has it: numbers by value, so that `1` equals `1.0`.
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
