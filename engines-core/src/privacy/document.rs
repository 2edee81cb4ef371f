//! A tenant's policy, as it is asked for and as it is kept.

use serde::{Deserialize, Serialize};

use crate::{clock::Timestamp, pii::Policy};

/// A policy of one tenant and environment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PolicyDocument {
    /// Rises by one with every change; 0 as long as nobody has set one, and then it is the deployment's.
    pub version: u64,
    /// When it was set.
    pub updated_at: Option<Timestamp>,
    /// What it says. Its own `version` is the name it has in receipts.
    pub policy: Policy,
}

/// A policy to be set.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct NewPolicy {
    /// Only if this is the version there is now; none for whatever there is.
    #[serde(default)]
    pub version: Option<u64>,
    /// What it says, whole. What is unknown in it is refused, unlike elsewhere: a misspelt rule must not be taken for none. Its `version` is not
    /// looked at.
    pub policy: Policy,
}
