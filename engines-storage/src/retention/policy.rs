//! A tenant's retention policy, as it is requested and as it is stored.

use engines_core::Timestamp;
use serde::{Deserialize, Serialize};

/// How long each kind of data is kept, in seconds; `None` keeps it for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetentionPolicy {
    /// Messages of threads.
    pub messages_s: Option<u64>,
    /// Commits of canvases. A snapshot of the resulting state is always kept, so that the head and later revisions can
    /// be read.
    pub commits_s: Option<u64>,
    /// Dataset events. An event is not removed before every sink of the deployment has received it.
    pub events_s: Option<u64>,
    /// Audit records; at least [`super::RetentionSettings::audit_min_s`].
    pub audit_s: Option<u64>,
    /// Receipts of idempotency keys; at least [`super::RetentionSettings::receipts_min_s`]. A request with a key whose
    /// receipt was removed takes effect again.
    pub receipts_s: Option<u64>,
}

/// The policy of one tenant and environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RetentionDocument {
    /// Rises by one with every change; 0 as long as no policy was set, and the deployment's settings apply.
    pub version: u64,
    /// The time at which it was set.
    pub updated_at: Option<Timestamp>,
    /// The retention times.
    pub policy: RetentionPolicy,
}

/// A policy to be set.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct NewRetentionPolicy {
    /// The version that the new policy replaces; `None` to replace any version.
    #[serde(default)]
    pub version: Option<u64>,
    /// The complete policy: a kind that is not named is kept for ever. Unknown fields are rejected, so that a misspelt
    /// kind is not mistaken for one that is kept.
    pub policy: RetentionPolicy,
}
