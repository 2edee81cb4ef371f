//! [`BackupRetention`]: the rules for keeping backups.

use std::time::Duration;

use engines_core::Timestamp;

use super::BackupId;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Rules for keeping backups. A backup is kept when either rule keeps it. With no rule, all backups are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BackupRetention {
    /// Keeps this number of the newest backups; 0 disables the rule.
    pub keep_last: usize,
    /// Keeps the backups of this number of days; 0 disables the rule.
    pub keep_days: u32,
}

impl BackupRetention {
    /// Returns the backups to remove, oldest first. `whole` are the backups whose manifests are readable, in any
    /// order. The newest of them is never returned.
    #[must_use]
    pub fn expired(&self, whole: &[BackupId], now: Timestamp) -> Vec<BackupId> {
        if self.keep_last == 0 && self.keep_days == 0 {
            return Vec::new();
        }
        let mut newest_first: Vec<_> = whole.iter().collect();
        newest_first.sort_by(|one, other| other.cmp(one));
        let young = |id: &BackupId| self.keep_days > 0 && now.since(id.started_at()) < DAY * self.keep_days;
        let kept = self.keep_last.max(1);
        newest_first.into_iter().skip(kept).filter(|id| !young(id)).rev().cloned().collect()
    }
}
