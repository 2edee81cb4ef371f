//! A tenant's policy, as it is asked for and as it is stored.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// How long each kind of data is kept, in seconds; none for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetentionPolicy {
    /// Messages of threads.
    pub messages_s: Option<u64>,
    /// Commits of canvases. A snapshot of the state they led to is always kept, so the head and later revisions can be read.
    pub commits_s: Option<u64>,
    /// Dataset events, and not before every sink of the deployment has got them.
    pub events_s: Option<u64>,
    /// Audit records; at least [`super::RetentionSettings::audit_min_s`].
    pub audit_s: Option<u64>,
    /// Receipts of idempotency keys; at least [`super::RetentionSettings::receipts_min_s`]. A key whose receipt is gone takes effect once more.
    pub receipts_s: Option<u64>,
}

/// The policy of one tenant and environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RetentionDocument {
    /// Rises by one with every change; 0 as long as nobody has set one, and then the deployment's settings hold.
    pub version: u64,
    /// When it was set.
    pub updated_at: Option<Timestamp>,
    /// What it says.
    pub policy: RetentionPolicy,
}

/// A policy to be set.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct NewRetentionPolicy {
    /// Only if this is the version there is now; none for whatever there is.
    #[serde(default)]
    pub version: Option<u64>,
    /// What it says, whole: a kind that is not named is kept for ever. Unknown fields are refused, so that a misspelt kind is not taken
    /// for one that is kept.
    pub policy: RetentionPolicy,
}
