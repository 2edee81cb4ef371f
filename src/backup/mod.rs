//! Backups of a whole deployment: made while it serves, on a schedule or by hand, verified and restored.
//!
//! [`Engine::backup`](crate::Engine::backup) makes and removes them; [`verify`] and [`restore`] need no engine. What a backup
//! consists of and where it is kept is in [`engines_storage::backup`]; `docs/backup.md` is for operators.

mod builder;
mod restore;
mod schedule;
mod service;
mod settings;
#[cfg(feature = "sqlite")]
mod verify;
mod worker;

pub use engines_storage::backup::{BackupId, Backups, FileEntry, Manifest, Restored, Retention};

pub(crate) use self::builder::BackupParts;
#[cfg(feature = "sqlite")]
pub use self::verify::{Verified, Verify, verify};
pub use self::{
    restore::{RestoreKeys, restore},
    schedule::Schedule,
    service::{BackupService, BackupStatus},
    settings::BackupSettings,
};
