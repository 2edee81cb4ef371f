//! What requests have in common: idempotency keys, short texts, and `null` for what is left out.

use std::sync::Arc;

use engines_core::{Error, RequestContext, Result, StreamKey, nexus::Once};
use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest, Sha256};

/// Bytes of an idempotency key, a correlation, run or step id, at the most.
const SHORT_TEXT_BYTES: usize = 256;

/// The key under which `asked` takes effect once: in this stream, for this actor. Another actor's key of the same
/// text is another key, so nobody gets at, or in the way of, somebody else's answer.
pub(crate) fn once(
    context: &RequestContext,
    stream: &StreamKey,
    key: String,
    asked: &impl Serialize,
    operation: &'static str,
) -> Result<Once> {
    check_short(operation, "idempotency_key", &key)?;
    let asked = serde_json::to_vec(asked).map_err(|error| Error::internal(operation, error))?;
    Ok(Once {
        realm: format!("{stream}/{}", context.actor().id),
        key,
        fingerprint: Sha256::digest(asked).into(),
        note: String::new(),
    })
}

/// Refuses a text that is empty, long or holds control characters.
pub(crate) fn check_short(operation: &'static str, field: &str, text: &str) -> Result<()> {
    if text.is_empty() || text.len() > SHORT_TEXT_BYTES || text.chars().any(char::is_control) {
        let detail = format!("{field} must have 1 to {SHORT_TEXT_BYTES} bytes and no control characters");
        return Err(Error::body(operation, field, detail));
    }
    Ok(())
}

/// [`check_short`] of those that are there.
pub(crate) fn check_all_short<const N: usize>(
    operation: &'static str,
    fields: [(&str, &Option<Arc<str>>); N],
) -> Result<()> {
    fields.into_iter().try_for_each(|(field, text)| match text {
        Some(text) => check_short(operation, field, text),
        None => Ok(()),
    })
}

/// Reads `null` as if the field were not there.
pub(crate) fn null_as_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}
