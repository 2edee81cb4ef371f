//! Requests and answers of the routes below `/identity/api-keys`.

use engines_core::{ActorType, Role, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use crate::secret::SecretText;

/// The body of `POST /identity/api-keys`.
#[derive(Debug, Deserialize)]
pub struct ApiKeyRequest {
    /// The key's name, 1 to 200 characters. Default: `API key`.
    #[serde(default = "default_name")]
    pub name: String,
    /// The key's role, which is not above its maker's.
    pub role: Role,
    /// The kind of actor that uses the key. Default: an agent.
    #[serde(default)]
    pub actor_type: Option<ActorType>,
    /// The time at which the key expires. Without one it is good until it is revoked.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
    /// Seconds until the key expires. It is ignored where `expires_at` is given too.
    #[serde(default)]
    pub expires_in: Option<u64>,
}

fn default_name() -> String {
    "API key".to_owned()
}

/// The body of `POST /identity/api-keys/{key_id}/rotate`.
#[derive(Debug, Default, Deserialize)]
pub struct RotateRequest {
    /// Seconds for which the replaced secret stays good. Default: 0.
    #[serde(default)]
    pub grace: u64,
}

/// The answer to making or rotating a key. No other answer holds the secret.
#[derive(Debug, Serialize)]
pub struct ApiKeyCreated {
    /// The secret, to be sent as bearer token.
    pub key: SecretText,
    /// The key without its secret.
    #[serde(flatten)]
    pub view: ApiKeyView,
}

/// A key without its secret, as lists show it.
#[derive(Debug, Clone, Serialize)]
pub struct ApiKeyView {
    /// The key's id. It is part of the secret, so that a leaked secret can be found and revoked.
    pub key_id: String,
    /// The key's name.
    pub name: String,
    /// The key's role.
    pub role: Role,
    /// The kind of actor that uses the key.
    pub actor_type: ActorType,
    /// The user or key that made this key.
    pub created_by: UserId,
    /// The key that this key was made with, if it was made with one. Both end together.
    pub parent_key_id: Option<String>,
    /// The time at which the key was made.
    pub created_at: Timestamp,
    /// The time at which the key expires; `None` if it is good until it is revoked.
    pub expires_at: Option<Timestamp>,
    /// The time of the last use, accurate to a few minutes; `None` if it was never used.
    pub last_used_at: Option<Timestamp>,
}
