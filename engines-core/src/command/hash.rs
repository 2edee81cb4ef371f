//! The canonical form of a document and its hash.

use std::fmt::Write as _;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// The document in RFC 8785 form (JSON Canonicalization Scheme): no white space, members in the
/// order of their keys' UTF-16 code units, numbers as ECMAScript writes them.
///
/// # Errors
/// None for a [`Value`]: it has no number that is not finite and no key twice. The signature is
/// that of the canonicalizer.
pub fn canonical_json(value: &Value) -> serde_json::Result<Vec<u8>> {
    serde_json_canonicalizer::to_vec(value)
}

/// SHA-256 over the RFC 8785 form, in lower-case hex: what any client can compute over its own
/// copy to see whether it holds the same document.
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
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(canonical) {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}
