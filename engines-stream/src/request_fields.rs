//! Fields that requests share: idempotency keys, short texts, and `null` for absent fields.

use std::sync::Arc;

use engines_core::{Error, RequestContext, Result, StreamKey, nexus::Idempotency, stream::CorrelationIds};
use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest, Sha256};

/// The most bytes of an idempotency key and of a correlation, run or step id.
const MAX_SHORT_TEXT_BYTES: usize = 256;

/// The idempotency key of a request: unique to this stream and actor. The same key of another actor is another key, so
/// no actor can read or block the answer of another.
pub(crate) fn idempotency(
    context: &RequestContext,
    stream: &StreamKey,
    key: String,
    asked: &impl Serialize,
    operation: &'static str,
) -> Result<Idempotency> {
    check_short_text(operation, "idempotency_key", &key)?;
    let asked = serde_json::to_vec(asked).map_err(|error| Error::internal(operation, error))?;
    Ok(Idempotency {
        namespace: format!("{stream}/{}", context.actor().id),
        key,
        fingerprint: Sha256::digest(asked).into(),
        note: String::new(),
    })
}

/// Rejects a text that is empty, too long or contains control characters.
pub(crate) fn check_short_text(operation: &'static str, field: &str, text: &str) -> Result<()> {
    if text.is_empty() || text.len() > MAX_SHORT_TEXT_BYTES || text.chars().any(char::is_control) {
        let detail = format!("{field} must have 1 to {MAX_SHORT_TEXT_BYTES} bytes and no control characters");
        return Err(Error::invalid_body(operation, field, detail));
    }
    Ok(())
}

/// The ids a client gives to the work a request is part of. They are not a flattened member of the request types,
/// because a command holds its ops as raw JSON, which serde cannot read from a flattened type.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientIds<'a> {
    pub(crate) correlation_id: &'a Option<Arc<str>>,
    pub(crate) run_id: &'a Option<Arc<str>>,
    pub(crate) step_id: &'a Option<Arc<str>>,
}

impl ClientIds<'_> {
    /// Applies [`check_short_text`] to the ids that are present.
    pub(crate) fn check(self, operation: &'static str) -> Result<()> {
        let Self { correlation_id, run_id, step_id } = self;
        [("correlation_id", correlation_id), ("run_id", run_id), ("step_id", step_id)].into_iter().try_for_each(
            |(field, text)| match text {
                Some(text) => check_short_text(operation, field, text),
                None => Ok(()),
            },
        )
    }

    /// Converts the ids to those of an event, together with the request id.
    pub(crate) fn into_correlation_ids(self, request_id: &Arc<str>) -> CorrelationIds {
        CorrelationIds {
            request_id: Some(Arc::clone(request_id)),
            correlation_id: self.correlation_id.clone(),
            run_id: self.run_id.clone(),
            step_id: self.step_id.clone(),
        }
    }
}

/// Deserialises `null` as an absent field.
pub(crate) fn null_as_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}
