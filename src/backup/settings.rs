//! The settings of backups.

use std::{path::PathBuf, time::Duration};

use engines_core::{Result, nexus::CopyLimits};
use engines_storage::backup::BackupRetention;
use serde::{Deserialize, Serialize};

use super::Schedule;

/// Where backups go, when they are made, how long they are kept and how fast they are copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct BackupSettings {
    /// Where backups are kept: a folder, or `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix` in a
    /// program built with the feature for it. Empty for none.
    pub destination: String,
    /// Seconds from one scheduled backup to the next; 0 for no such schedule.
    pub every_s: u64,
    /// The time of the daily backup, `HH:MM` in UTC; empty for no such schedule.
    pub at: String,
    /// The newest so many backups are kept; 0 for no such rule. The newest good backup is never removed.
    pub keep_last: usize,
    /// Backups of the last so many days are kept; 0 for no such rule. A backup is removed when neither rule keeps it;
    /// without rules all are kept.
    pub keep_days: u32,
    /// A file with the passphrase under which the root key is sealed into each backup, for when neither
    /// `BACKUP_PASSPHRASE` nor `BACKUP_PASSPHRASE_FILE` is set; without any, the root key is not in the backup and must
    /// be kept apart.
    pub passphrase_file: Option<PathBuf>,
    /// Bytes copied per second, so that writers go on undisturbed; 0 for as fast as possible.
    pub bytes_per_s: u64,
    /// Bytes the write-ahead log may grow by while the data file is copied. From half of it on the copy runs as fast as
    /// possible, past it the backup fails; 0 for no limit.
    pub log_bytes: u64,
    /// Seconds after a failed scheduled backup before it is tried again; doubled with each failure, up to an hour.
    pub retry_s: u64,
}

impl Default for BackupSettings {
    fn default() -> Self {
        let CopyLimits { bytes_per_s, log_bytes } = CopyLimits::default();
        Self {
            destination: String::new(),
            every_s: 0,
            at: String::new(),
            keep_last: 0,
            keep_days: 0,
            passphrase_file: None,
            bytes_per_s,
            log_bytes,
            retry_s: 60,
        }
    }
}

impl BackupSettings {
    /// The schedule; `None` if backups are only made on request.
    ///
    /// # Errors
    /// `BODY_INVALID` when [`BackupSettings::at`] is malformed.
    pub fn schedule(&self) -> Result<Option<Schedule>> {
        Schedule::new(self.every_s, &self.at)
    }

    /// The rules by which backups are kept.
    #[must_use]
    pub fn retention(&self) -> BackupRetention {
        BackupRetention { keep_last: self.keep_last, keep_days: self.keep_days }
    }

    /// The limits of copying.
    #[must_use]
    pub fn limits(&self) -> CopyLimits {
        CopyLimits { bytes_per_s: self.bytes_per_s, log_bytes: self.log_bytes }
    }

    /// [`BackupSettings::retry_s`], but at least a second.
    #[must_use]
    pub fn retry(&self) -> Duration {
        Duration::from_secs(self.retry_s.max(1))
    }
}
