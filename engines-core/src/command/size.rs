//! How large a value is, and a document that knows its own size.

use serde_json::{Number, Value};

use super::error::{OpErrorKind, OpFault};
use super::limits::DEPTH_CEILING;

/// The longest shortest-form decimal of a double, such as `-2.2250738585072014e-308`.
const MAX_FLOAT_BYTES: usize = 24;
/// Brackets around an array's or object's members, quotes around a string.
const DELIMITER_BYTES: usize = 2;
/// The largest integer of which every client reads the same number: 2⁵³ − 1.
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;
/// What a sender of a larger one is told.
pub(super) const UNSAFE_INTEGER_DETAIL: &str = "an integer beyond 2^53 - 1; send it as a string";

/// A document and its size, kept exact as it is edited so that no command has to weigh the whole.
///
/// The size is that of the compact JSON text, escapes not counted and a comma counted after every
/// member: a hair more or less than what is stored, and cheap to keep.
///
/// ```
/// use engines_core::command::State;
/// let state = State::new(serde_json::json!({"a": "bc"}))?;
/// assert_eq!(state.size(), r#"{"a":"bc",}"#.len());
/// # Ok::<(), engines_core::command::OpFault>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SizedDocument {
    pub(super) value: Value,
    pub(super) size: usize,
}

impl SizedDocument {
    /// Takes over a document, such as a snapshot that was read.
    ///
    /// # Errors
    /// [`OpErrorKind::TooDeep`] beyond [`DEPTH_CEILING`] levels, [`OpErrorKind::NumberOutOfRange`]
    /// for integers beyond ±(2⁵³ − 1). Other limits hold for commands, not for what is already
    /// there: a lowered setting makes no document unreadable.
    pub fn new(value: Value) -> Result<Self, OpFault> {
        let size = measure_checked(&value, DEPTH_CEILING)?.bytes;
        Ok(Self { value, size })
    }

    /// The document.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The document, owned.
    #[must_use]
    pub fn into_value(self) -> Value {
        self.value
    }

    /// The document's size in bytes, as this type counts it.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }
}

impl Default for SizedDocument {
    /// The document `null`.
    fn default() -> Self {
        Self { value: Value::Null, size: scalar_bytes(&Value::Null) }
    }
}

/// What [`measure`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ValueSize {
    /// Size, as [`State`] counts it.
    pub(super) bytes: usize,
    /// Levels of arrays and objects; 0 for anything else.
    pub(super) depth: usize,
}

/// Weighs a value and checks its depth and numbers. Goes at most `max_depth` levels down.
pub(super) fn measure_checked(value: &Value, max_depth: usize) -> Result<ValueSize, OpFault> {
    let mut found = ValueSize { bytes: 0, depth: 0 };
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => found.bytes = scalar_bytes(value),
        Value::Number(number) => {
            check_number(number)?;
            found.bytes = scalar_bytes(value);
        }
        Value::Array(_) | Value::Object(_) if max_depth == 0 => {
            return Err(OpFault::new(OpErrorKind::TooDeep, "nested too deep"));
        }
        Value::Array(items) => {
            found.bytes = DELIMITER_BYTES;
            for item in items {
                found.add_child(element_overhead_bytes(), measure_checked(item, max_depth - 1)?);
            }
            found.depth += 1;
        }
        Value::Object(members) => {
            found.bytes = DELIMITER_BYTES;
            for (key, member) in members {
                found.add_child(member_overhead_bytes(key), measure_checked(member, max_depth - 1)?);
            }
            found.depth += 1;
        }
    }
    Ok(found)
}

impl ValueSize {
    fn add_child(&mut self, slot_bytes: usize, child: Self) {
        self.bytes += slot_bytes + child.bytes;
        self.depth = self.depth.max(child.depth);
    }
}

/// The size of a value that is part of a document, hence already known not to be too deep.
pub(super) fn size_of_value(value: &Value) -> usize {
    match value {
        Value::Array(items) => {
            items.iter().fold(DELIMITER_BYTES, |sum, item| sum + element_overhead_bytes() + size_of_value(item))
        }
        Value::Object(members) => members
            .iter()
            .fold(DELIMITER_BYTES, |sum, (key, member)| sum + member_overhead_bytes(key) + size_of_value(member)),
        scalar => scalar_bytes(scalar),
    }
}

/// What a member's key, quotes, colon and comma add to an object.
pub(super) fn member_overhead_bytes(key: &str) -> usize {
    key.len() + DELIMITER_BYTES + 2
}

/// What an element's comma adds to an array.
pub(super) const fn element_overhead_bytes() -> usize {
    1
}

fn scalar_bytes(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + DELIMITER_BYTES,
        Value::Number(number) => number_bytes(number),
        Value::Bool(false) => 5,
        _ => 4,
    }
}

fn number_bytes(number: &Number) -> usize {
    let digits = |n: u64| n.checked_ilog10().map_or(1, |log| log as usize + 1);
    if let Some(n) = number.as_u64() {
        digits(n)
    } else if let Some(n) = number.as_i64() {
        1 + digits(n.unsigned_abs())
    } else {
        MAX_FLOAT_BYTES
    }
}

/// Refuses an integer that is not safe to exchange (RFC 7493 §2.2).
fn check_number(number: &Number) -> Result<(), OpFault> {
    let safe = if let Some(n) = number.as_u64() {
        n <= MAX_SAFE_INTEGER
    } else if let Some(n) = number.as_i64() {
        n.unsigned_abs() <= MAX_SAFE_INTEGER
    } else {
        number.as_f64().is_some_and(f64::is_finite)
    };
    if safe { Ok(()) } else { Err(OpFault::new(OpErrorKind::NumberOutOfRange, UNSAFE_INTEGER_DETAIL)) }
}
