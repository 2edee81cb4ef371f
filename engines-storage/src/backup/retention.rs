//! Which backups to keep.

use std::time::Duration;

use engines_core::Timestamp;

use super::BackupId;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Which backups are kept: those that either rule keeps. Without any rule all are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BackupRetention {
    /// The newest so many; 0 for no such rule.
    pub keep_last: usize,
    /// Those of the last so many days; 0 for no such rule.
    pub keep_days: u32,
}

impl BackupRetention {
    /// Which of `whole` to remove, oldest first: backups whose manifests can be read, in any order. Never all of them: the newest always stays.
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
