//! Ids of actors that act by API key.

use engines_core::UserId;
use ulid::Ulid;

/// The issuer of principals that act by API key. It differs from the `iss` of every token, which is set by the operator
/// or is a URL.
pub const ISSUER: &str = "engines:api-key";

/// The prefix of the ids of actors that act by a key.
pub(super) const API_KEY_PREFIX: &str = "ak_";

/// Returns the API key that an actor id stands for, if it stands for one.
pub(crate) fn api_key_id(actor: &UserId) -> Option<Ulid> {
    Ulid::from_string(actor.as_str().strip_prefix(API_KEY_PREFIX)?).ok()
}
