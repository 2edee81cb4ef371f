//! What goes over the wire.

use engines_core::{ActorType, Role, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use crate::secret::SecretText;

/// `POST /identity/api-keys`.
#[derive(Debug, Deserialize)]
pub struct ApiKeyRequest {
    /// What it is for, 1 to 200 characters. Default: `API key`.
    #[serde(default = "unnamed")]
    pub name: String,
    /// What it may do; at most what its maker may.
    pub role: Role,
    /// What acts with it. Default: an agent.
    #[serde(default)]
    pub actor_type: Option<ActorType>,
    /// When it ends; without one, when it is revoked.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
    /// The same in seconds from now; `expires_at` counts where both are there.
    #[serde(default)]
    pub expires_in: Option<u64>,
}

fn unnamed() -> String {
    "API key".to_owned()
}

/// `POST /identity/api-keys/{key_id}/rotate`.
#[derive(Debug, Default, Deserialize)]
pub struct RotateRequest {
    /// Seconds the key that is replaced is still good. Default: none.
    #[serde(default)]
    pub grace: u64,
}

/// A key just made, or rotated: it is shown this once.
#[derive(Debug, Serialize)]
pub struct ApiKeyCreated {
    /// What to send as bearer token.
    pub key: SecretText,
    /// The rest.
    #[serde(flatten)]
    pub view: ApiKeyView,
}

/// A key, without its secret.
#[derive(Debug, Clone, Serialize)]
pub struct ApiKeyView {
    /// Its id, which is a part of the key: by it a leaked one is found.
    pub key_id: String,
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// What acts with it.
    pub actor_type: ActorType,
    /// Who made it.
    pub created_by: UserId,
    /// The key it was made with, if it was made with one: it ends with that one.
    pub parent_key_id: Option<String>,
    /// When.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, some minutes ago at most.
    pub last_used_at: Option<Timestamp>,
}
