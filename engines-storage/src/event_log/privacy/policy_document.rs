//! A tenant's privacy policy, as it is requested and as it is stored.

use engines_core::{Timestamp, pii::Policy};
use serde::{Deserialize, Serialize};

/// The privacy policy of one tenant and environment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PolicyDocument {
    /// Rises by one with every change; 0 as long as no policy was set, and the deployment's policy applies.
    pub version: u64,
    /// The time at which it was set.
    pub updated_at: Option<Timestamp>,
    /// The rules. The policy's own `version` is the name that receipts give it.
    pub policy: Policy,
}

/// A policy to be set.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct NewPolicy {
    /// The version that the new policy replaces; `None` to replace any version.
    #[serde(default)]
    pub version: Option<u64>,
    /// The complete rules. Unknown members are rejected, unlike in other requests, because a misspelt rule must not be
    /// taken for none. Its `version` is ignored.
    pub policy: Policy,
}
