//! The document while a batch is applied, with the edits so far and their limits.

use json_patch::jsonptr::{Pointer, PointerBuf, index::Index};
use serde_json::Value;

use super::error::{OpErrorKind, OpFault};
use super::limits::CommandLimits;
use super::op::Op;
use super::patch::{Slot, find_slot, path_not_found, put_into_slot, remove_value, resolve_path, values_equal};
use super::size::{
    SizedDocument, ValueSize, element_overhead_bytes, measure_checked, member_overhead_bytes, size_of_value,
};
use super::text::byte_range;
use super::undo::Undo;

/// A document while a batch is being applied. A [`Reducer`](super::Reducer) reads and edits it.
///
/// Each edit is checked against the limits and can be reverted; dropping an unfinished draft reverts all of its edits.
#[derive(Debug)]
pub struct Draft<'a> {
    state: &'a mut SizedDocument,
    limits: &'a CommandLimits,
    size_before: usize,
    /// Bytes of values added, copied and moved so far.
    written_bytes: usize,
    /// Bytes traversed so far; see [`CommandLimits::max_moved_bytes`].
    moved_bytes: usize,
    undo: Vec<Undo>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(state: &'a mut SizedDocument, limits: &'a CommandLimits) -> Self {
        let size_before = state.size;
        Self { state, limits, size_before, written_bytes: 0, moved_bytes: 0, undo: Vec::new() }
    }

    /// The document with all edits so far.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.state.value
    }

    /// Applies a standard op completely, or not at all.
    ///
    /// # Errors
    /// What is wrong with the op, see [`OpErrorKind`]; a custom op is [`OpErrorKind::UnknownOp`].
    pub fn apply(&mut self, op: &Op) -> Result<(), OpFault> {
        match op {
            Op::Add { path, value } => self.add_value(path, value, false),
            Op::SetToken { path, value } => self.add_value(path, value, true),
            Op::Replace { path, value } => {
                self.value_at(path)?;
                self.add_value(path, value, true)
            }
            Op::Remove { path } => self.remove_value(path),
            Op::Move { from, path } => self.move_value(from, path),
            Op::Copy { from, path } => {
                self.value_at(from)?;
                let slot = find_slot(self.value(), path, false)?;
                self.count_shift_for_insert(path, &slot)?;
                let source = self.value_at(from)?;
                let measure = self.check_value_fits(path, &slot, source)?;
                let value = source.clone();
                self.put_new_value(path, &slot, value, measure)
            }
            Op::Test { path, value } => {
                if values_equal(self.value_at(path)?, value) {
                    Ok(())
                } else {
                    Err(OpFault::at_path(OpErrorKind::TestFailed, "another value is at", path))
                }
            }
            Op::InsertText { path, pos, text } => self.splice_text(path, *pos, 0, text),
            Op::DeleteRange { path, pos, len } => self.splice_text(path, *pos, *len, ""),
            Op::ReplaceTextRange { path, pos, len, text } => self.splice_text(path, *pos, *len, text),
            Op::Custom(_) => Err(OpFault::new(OpErrorKind::UnknownOp, "no such op")),
        }
    }

    fn value_at(&self, path: &Pointer) -> Result<&Value, OpFault> {
        self.value().pointer(path.as_str()).ok_or_else(|| path_not_found(path))
    }

    fn add_value(&mut self, path: &PointerBuf, value: &Value, overwrite: bool) -> Result<(), OpFault> {
        let slot = find_slot(self.value(), path, overwrite)?;
        self.count_shift_for_insert(path, &slot)?;
        let measure = self.check_value_fits(path, &slot, value)?;
        self.put_new_value(path, &slot, value.clone(), measure)
    }

    /// Counts the array elements that move when one is inserted.
    fn count_shift_for_insert(&mut self, path: &Pointer, slot: &Slot) -> Result<(), OpFault> {
        match slot {
            Slot::Element(at) => self.count_shift(path, *at),
            Slot::Occupied | Slot::Member => Ok(()),
        }
    }

    /// Counts the array elements that move when one is removed.
    fn count_shift_for_remove(&mut self, path: &Pointer) -> Result<(), OpFault> {
        let last = path.split_back().and_then(|(_, last)| last.to_index().ok());
        match last {
            Some(Index::Num(at)) => self.count_shift(path, at),
            _ => Ok(()),
        }
    }

    /// Counts the elements of this path's array from `at` on, if it is an array.
    fn count_shift(&mut self, path: &Pointer, at: usize) -> Result<(), OpFault> {
        let array = path.split_back().and_then(|(parent, _)| self.value().pointer(parent.as_str()));
        let behind = array.and_then(Value::as_array).map_or(0, |items| items.len().saturating_sub(at));
        self.charge_moved_bytes(behind.saturating_mul(size_of::<Value>()))
    }

    /// Counts bytes that have to be traversed.
    fn charge_moved_bytes(&mut self, bytes: usize) -> Result<(), OpFault> {
        self.moved_bytes = self.moved_bytes.saturating_add(bytes);
        if self.moved_bytes <= self.limits.max_moved_bytes {
            return Ok(());
        }
        let most = self.limits.max_moved_bytes;
        let detail =
            format!("the ops of a batch go over at most {most} bytes of text and of arrays; send fewer at a time");
        Err(OpFault::new(OpErrorKind::TooLarge, detail))
    }

    /// Checks whether a value fits at a place, before anything is copied.
    fn check_value_fits(&self, path: &Pointer, slot: &Slot, value: &Value) -> Result<ValueSize, OpFault> {
        let Some(below) = self.limits.effective_depth().checked_sub(path.count()) else {
            return Err(OpFault::at_path(OpErrorKind::TooDeep, "nested too deep", path));
        };
        let measure = measure_checked(value, below)?;
        let freed = match slot {
            Slot::Occupied => self.value().pointer(path.as_str()).map_or(0, size_of_value),
            _ => 0,
        };
        self.check_document_size(self.state.size - freed, slot_overhead_bytes(path, slot) + measure.bytes)?;
        if self.written_bytes.saturating_add(measure.bytes) > self.limits.max_batch_bytes {
            let detail = format!("a batch writes at most {} bytes", self.limits.max_batch_bytes);
            return Err(OpFault::new(OpErrorKind::TooLarge, detail));
        }
        Ok(measure)
    }

    /// Checks whether the document may become this large. Shrinking a document that exceeds a limit lowered since is
    /// always allowed.
    fn check_document_size(&self, rest: usize, more: usize) -> Result<(), OpFault> {
        let size = rest.saturating_add(more);
        if size <= self.limits.max_state_bytes.max(self.state.size) {
            return Ok(());
        }
        let detail = format!("a document has at most {} bytes", self.limits.max_state_bytes);
        Err(OpFault::new(OpErrorKind::TooLarge, detail))
    }

    /// Puts a value at a place that [`Self::check_value_fits`] accepted. Returns the resolved path and the previous
    /// value; returns the value itself if there is no such place.
    fn put_value(
        &mut self,
        path: &Pointer,
        slot: &Slot,
        value: Value,
        measure: ValueSize,
    ) -> Result<(PointerBuf, Option<Value>), Value> {
        let old = put_into_slot(&mut self.state.value, path, slot, value)?;
        self.written_bytes += measure.bytes;
        self.state.size += slot_overhead_bytes(path, slot) + measure.bytes;
        self.state.size -= old.as_ref().map_or(0, size_of_value);
        Ok((resolve_path(path, slot), old))
    }

    fn put_new_value(&mut self, path: &Pointer, slot: &Slot, value: Value, measure: ValueSize) -> Result<(), OpFault> {
        let placed = self.put_value(path, slot, value, measure);
        let (path, old) = placed.map_err(|_| path_not_found(path))?;
        self.undo.push(match old {
            Some(old) => Undo::Replaced { path, old },
            None => Undo::Added { path },
        });
        Ok(())
    }

    fn remove_value(&mut self, path: &PointerBuf) -> Result<(), OpFault> {
        check_not_root(path)?;
        self.count_shift_for_remove(path)?;
        let entry = self.entry_overhead_bytes(path);
        let old = remove_value(&mut self.state.value, path).ok_or_else(|| path_not_found(path))?;
        self.state.size -= entry + size_of_value(&old);
        self.undo.push(Undo::Removed { path: path.clone(), old });
        Ok(())
    }

    /// Applies `move`: removes, then inserts; puts the value back if it cannot be inserted.
    fn move_value(&mut self, from: &PointerBuf, path: &PointerBuf) -> Result<(), OpFault> {
        check_not_root(from)?;
        if from == path {
            return self.value_at(from).map(|_| ());
        }
        if path.starts_with(from) {
            let detail = "a value cannot be moved into itself";
            return Err(OpFault::at_path(OpErrorKind::MoveIntoSelf, detail, path));
        }
        self.count_shift_for_remove(from)?;
        let entry = self.entry_overhead_bytes(from);
        let value = remove_value(&mut self.state.value, from).ok_or_else(|| path_not_found(from))?;
        let left = entry + size_of_value(&value);
        self.state.size -= left;
        let admitted = find_slot(self.value(), path, false).and_then(|slot| {
            self.count_shift_for_insert(path, &slot)?;
            self.check_value_fits(path, &slot, &value).map(|measure| (slot, measure))
        });
        let (fault, old) = match admitted {
            Ok((slot, measure)) => match self.put_value(path, &slot, value, measure) {
                Ok((path, old)) => {
                    let from = from.clone();
                    self.undo.push(Undo::Moved { from, path, old });
                    return Ok(());
                }
                Err(back) => (path_not_found(path), back),
            },
            Err(fault) => (fault, value),
        };
        let path = from.clone();
        Undo::Removed { path, old }.revert(&mut self.state.value);
        self.state.size += left;
        Err(fault)
    }

    fn splice_text(&mut self, path: &PointerBuf, pos: usize, len: usize, insert: &str) -> Result<(), OpFault> {
        let found = self.value_at(path)?;
        let Value::String(text) = found else {
            return Err(OpFault::at_path(OpErrorKind::NotText, "not a string", path));
        };
        let whole = text.len();
        let range = byte_range(text, pos, len).ok_or_else(|| {
            let detail = "the position or range is beyond the end of the text";
            OpFault::at_path(OpErrorKind::PositionOutOfRange, detail, path)
        })?;
        self.check_document_size(self.state.size - range.len(), insert.len())?;
        self.charge_moved_bytes(whole)?;
        let Some(Value::String(text)) = self.state.value.pointer_mut(path.as_str()) else {
            return Err(path_not_found(path));
        };
        let at = range.start;
        let mut removed = String::new();
        if range.is_empty() {
            text.insert_str(at, insert);
        } else {
            removed.push_str(&text[range.clone()]);
            text.replace_range(range, insert);
        }
        self.state.size = self.state.size - removed.len() + insert.len();
        self.undo.push(Undo::Spliced { path: path.clone(), at, inserted: insert.len(), removed });
        Ok(())
    }

    /// The bytes that the entry at this path adds to its parent besides the value.
    fn entry_overhead_bytes(&self, path: &Pointer) -> usize {
        let Some((parent, last)) = path.split_back() else {
            return 0;
        };
        match self.value().pointer(parent.as_str()) {
            Some(Value::Object(_)) => member_overhead_bytes(&last.decoded()),
            _ => element_overhead_bytes(),
        }
    }

    /// Keeps all edits; returns the size before and after.
    pub(super) fn commit(mut self) -> (usize, usize) {
        self.undo.clear();
        let sizes = (self.size_before, self.state.size);
        self.size_before = self.state.size;
        sizes
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        while let Some(undo) = self.undo.pop() {
            undo.revert(&mut self.state.value);
        }
        self.state.size = self.size_before;
    }
}

fn check_not_root(path: &Pointer) -> Result<(), OpFault> {
    if path.is_root() {
        let detail = "the whole document can be replaced, not removed or moved";
        return Err(OpFault::new(OpErrorKind::PathNotFound, detail));
    }
    Ok(())
}

fn slot_overhead_bytes(path: &Pointer, slot: &Slot) -> usize {
    match slot {
        Slot::Occupied => 0,
        Slot::Member => path.last().map_or(0, |key| member_overhead_bytes(&key.decoded())),
        Slot::Element(_) => element_overhead_bytes(),
    }
}
