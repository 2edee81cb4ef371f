//! The deployment's settings of retention.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::RetentionPolicy;

/// Settings of retention and of the worker that applies it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct RetentionSettings {
    /// Seconds messages are kept where a tenant has no policy; 0 for ever. Default: 0.
    pub messages_s: u64,
    /// Seconds commits of canvases are kept where a tenant has no policy; 0 for ever. Default: 0.
    pub commits_s: u64,
    /// Seconds dataset events are kept where a tenant has no policy; 0 for ever. Default: 0.
    pub events_s: u64,
    /// Seconds audit records are kept where a tenant has no policy; 0 for ever. Default: 0.
    pub audit_s: u64,
    /// Seconds receipts of idempotency keys are kept where a tenant has no policy; 0 for ever. Default: 0.
    pub receipts_s: u64,
    /// Seconds audit records are kept at the least, whatever a policy says: the legal minimum of the deployment.
    /// Default: 365 days.
    pub audit_min_s: u64,
    /// Seconds receipts are kept at the least, whatever a policy says, so that retries stay safe. Default: 1 day.
    pub receipts_min_s: u64,
    /// Seconds between two passes of the worker over all tenants; 0 for no worker. Default: 1 hour.
    pub every_s: u64,
    /// Stored things removed in one step, each step a write of its own. Default: 500.
    pub step_items: usize,
    /// Milliseconds between two steps, so that requests go first. Default: 20.
    pub step_pause_ms: u64,
    /// Seconds between two looks at whether removed content is still in the store's files. Default: 20.
    pub reclaim_every_s: u64,
}

impl Default for RetentionSettings {
    fn default() -> Self {
        const DAY: u64 = 24 * 3600;
        Self {
            messages_s: 0,
            commits_s: 0,
            events_s: 0,
            audit_s: 0,
            receipts_s: 0,
            audit_min_s: 365 * DAY,
            receipts_min_s: DAY,
            every_s: 3600,
            step_items: 500,
            step_pause_ms: 20,
            reclaim_every_s: 20,
        }
    }
}

impl RetentionSettings {
    /// The policy of tenants that have none of their own.
    #[must_use]
    pub fn default_policy(&self) -> RetentionPolicy {
        let kept = |seconds: u64| (seconds > 0).then_some(seconds);
        RetentionPolicy {
            messages_s: kept(self.messages_s),
            commits_s: kept(self.commits_s),
            events_s: kept(self.events_s),
            audit_s: kept(self.audit_s),
            receipts_s: kept(self.receipts_s),
        }
    }

    /// Time between two steps.
    #[must_use]
    pub fn step_pause(&self) -> Duration {
        Duration::from_millis(self.step_pause_ms)
    }
}
