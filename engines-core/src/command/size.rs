//! Sizes of JSON values, and a document that tracks its own size.

use serde_json::{Number, Value};

use super::error::{OpErrorKind, OpFault};
use super::limits::DEPTH_CEILING;

/// The length of the longest shortest-form decimal of a double, such as `-2.2250738585072014e-308`.
const MAX_FLOAT_BYTES: usize = 24;
/// The bytes of the brackets of an array or object, or of the quotes of a string.
const DELIMITER_BYTES: usize = 2;
/// The largest integer that every client reads exactly: 2⁵³ − 1.
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;
/// The detail of the error for a larger integer.
pub(super) const UNSAFE_INTEGER_DETAIL: &str = "an integer beyond 2^53 - 1; send it as a string";

/// A document and its size, which is updated with every edit so that no command has to measure the whole document.
///
/// The size is that of the compact JSON text, with escapes not counted and a comma counted after every member. It
/// differs slightly from the stored size and is cheap to update.
///
/// ```
/// use engines_core::command::SizedDocument;
/// let state = SizedDocument::new(serde_json::json!({"a": "bc"}))?;
/// assert_eq!(state.size(), r#"{"a":"bc",}"#.len());
/// # Ok::<(), engines_core::command::OpFault>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SizedDocument {
    pub(super) value: Value,
    pub(super) size: usize,
}

impl SizedDocument {
    /// Takes a document, such as a snapshot that was read.
    ///
    /// # Errors
    /// [`OpErrorKind::TooDeep`] beyond [`DEPTH_CEILING`] levels, [`OpErrorKind::NumberOutOfRange`] for integers beyond
    /// ±(2⁵³ − 1). Other limits apply to commands, not to existing documents: lowering a setting makes no document
    /// unreadable.
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

    /// The document's size in bytes; see [`SizedDocument`] for how it is counted.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }
}

impl Default for SizedDocument {
    /// Makes the document `null`.
    fn default() -> Self {
        Self { value: Value::Null, size: scalar_bytes(&Value::Null) }
    }
}

/// The result of [`measure_checked`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ValueSize {
    /// The size, as counted by [`SizedDocument`].
    pub(super) bytes: usize,
    /// The number of levels of arrays and objects; 0 for other values.
    pub(super) depth: usize,
}

/// Measures a value and checks its depth and numbers. It descends at most `max_depth` levels.
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

/// The size of a value that is part of a document and hence known not to be too deep.
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

/// The bytes that a member's key, quotes, colon and comma add to an object.
pub(super) fn member_overhead_bytes(key: &str) -> usize {
    key.len() + DELIMITER_BYTES + 2
}

/// The bytes that an element's comma adds to an array.
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

/// Rejects an integer that is not safe to exchange (RFC 7493 §2.2).
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
