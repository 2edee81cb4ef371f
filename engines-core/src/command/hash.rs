//! The canonical form of a document and its hash.

use std::io::Write as _;

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::hex;

/// The document in RFC 8785 form (JSON Canonicalization Scheme): no white space, members in the order of their keys'
/// UTF-16 code units, numbers as ECMAScript writes them.
///
/// The result equals that of `serde_json_canonicalizer`, several times as fast: that crate does not know that the keys
/// of a `serde_json::Map` are complete and mostly in order, so it buffers every object's members to sort them. Numbers
/// are formatted by that crate.
///
/// # Errors
/// None for a [`Value`]: it has no number that is not finite. The signature is that of the writer.
pub fn canonical_json(value: &Value) -> serde_json::Result<Vec<u8>> {
    let mut out = Vec::with_capacity(1024);
    write_value(value, &mut out)?;
    Ok(out)
}

/// SHA-256 of the RFC 8785 form in lower-case hex. A client computes it over its own copy to check whether it holds the
/// same document.
///
/// ```
/// use engines_core::command::state_hash;
/// use serde_json::json;
/// assert_eq!(state_hash(&json!({"b": 1.0, "a": 2})), state_hash(&json!({"a": 2, "b": 1})));
/// ```
#[must_use]
pub fn state_hash(value: &Value) -> String {
    let canonical = match canonical_json(value) {
        Ok(canonical) => canonical,
        Err(error) => unreachable!("every JSON value has a canonical form: {error}"),
    };
    hex::encode(&Sha256::digest(canonical))
}

fn write_value(value: &Value, out: &mut Vec<u8>) -> serde_json::Result<()> {
    match value {
        Value::Number(number) => match number.as_i64().and_then(|n| i32::try_from(n).ok()) {
            // Writing to a vector cannot fail.
            Some(small) => write!(out, "{small}").map_err(serde_json::Error::io),
            None => serde_json_canonicalizer::to_writer(number, out),
        },
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_value(item, out)?;
            }
            out.push(b']');
            Ok(())
        }
        Value::Object(members) if is_in_utf16_order(members) => write_members(members.iter(), out),
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by(|(left, _), (right, _)| left.encode_utf16().cmp(right.encode_utf16()));
            write_members(members.into_iter(), out)
        }
        // The writer escapes exactly the characters that RFC 8785 section 3.2.2.2 requires.
        Value::Null | Value::Bool(_) | Value::String(_) => serde_json::to_writer(out, value),
    }
}

fn write_members<'a>(
    members: impl Iterator<Item = (&'a String, &'a Value)>,
    out: &mut Vec<u8>,
) -> serde_json::Result<()> {
    out.push(b'{');
    for (index, (key, member)) in members.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        serde_json::to_writer(&mut *out, key)?;
        out.push(b':');
        write_value(member, out)?;
    }
    out.push(b'}');
    Ok(())
}

/// Whether the members are already in UTF-16 order. A map sorted by bytes is, if its keys are ASCII; one that keeps
/// another order, by a feature of `serde_json`, may not be.
fn is_in_utf16_order(members: &Map<String, Value>) -> bool {
    members.keys().all(|key| key.is_ascii()) && members.keys().is_sorted()
}
