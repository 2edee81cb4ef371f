//! Makes scheduled backups.

use std::{sync::PoisonError, time::Duration};

use engines_core::{Code, RequestContext, Result, Scope, Timestamp};

use super::{BackupService, Schedule};

/// The longest single wait, because the clock may be set meanwhile.
const MAX_WAIT: Duration = Duration::from_secs(30);
/// The longest wait after a failure.
const MAX_RETRY_WAIT: Duration = Duration::from_secs(3600);

impl BackupService {
    /// Makes the backups of `schedule` and removes expired ones, until the future is dropped.
    pub(crate) async fn run_schedule(self, schedule: Schedule) {
        let clock = self.inner().guard.clock().clone();
        let (mut last, mut failures, mut not_before) = (None, 0_u32, Timestamp::default());
        let mut known = false;
        loop {
            if !known {
                match self.last_backup_time().await {
                    Ok(found) => (last, known) = (found, true),
                    Err(error) => tracing::warn!(%error, "the destination of backups does not answer; tried again"),
                }
            }
            let now = clock.now();
            let due = schedule.next_due(last, now).max(not_before);
            if due > now || !known {
                tokio::time::sleep(due.since(now).clamp(Duration::from_millis(100), MAX_WAIT)).await;
                continue;
            }
            match self.run_scheduled().await {
                Ok(begun) => (last, failures, not_before) = (Some(begun), 0, Timestamp::default()),
                Err(error) => {
                    failures += 1;
                    let wait = self
                        .settings()
                        .retry()
                        .saturating_mul(1 << failures.min(16).saturating_sub(1))
                        .min(MAX_RETRY_WAIT);
                    not_before = clock.now().plus(wait);
                    if error.code() == Code::AlreadyExists {
                        tracing::info!(%error, "a scheduled backup waits for another one");
                    } else {
                        let cause = std::error::Error::source(&error).map(ToString::to_string);
                        tracing::error!(%error, cause, failures, retry_s = wait.as_secs(), "a scheduled backup failed");
                    }
                }
            }
        }
    }

    /// The start of the last good backup in the destination.
    async fn last_backup_time(&self) -> Result<Option<Timestamp>> {
        let Some(backups) = self.destination() else { return Ok(None) };
        let found = backups.latest().await?;
        let last = found.as_ref().map(|manifest| manifest.as_of);
        let mut status = self.inner().status.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(manifest) = found {
            status.last_success = status.last_success.or(Some(manifest.as_of));
            status.last_bytes = manifest.total_bytes();
        }
        Ok(last)
    }

    async fn run_scheduled(&self) -> Result<Timestamp> {
        let guard = &self.inner().guard;
        let context = RequestContext::system(Scope::system()?, "scheduled backup", &**guard.clock(), guard.ids())?;
        let made = self.create(&context).await?;
        tracing::info!(id = %made.id, bytes = made.total_bytes(), took_s = made.finished_at.since(made.as_of).as_secs(), "backed up");
        match self.prune(&context).await {
            Ok(removed) if removed.is_empty() => {}
            Ok(removed) => tracing::info!(removed = removed.len(), "removed expired backups"),
            Err(error) => {
                tracing::warn!(%error, "expired backups could not be removed; tried again after the next backup")
            }
        }
        Ok(made.as_of)
    }
}
