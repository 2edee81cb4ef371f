//! Backups of a whole deployment: made while it is in use, on a schedule or on request, verified and restored.
//!
//! [`Engine::backup`](crate::Engine::backup) makes and removes them; [`verify`] and [`restore`] need no engine.
//! [`engines_storage::backup`] describes the contents and the destinations of backups; `docs/backup.md` is for
//! operators.

mod parts;
mod restore;
mod schedule;
mod scheduled;
mod service;
mod settings;
#[cfg(feature = "sqlite")]
mod verify;

pub use engines_storage::backup::{BackupId, BackupManifest, BackupRetention, Backups, FileEntry, RestoreReport};

pub(crate) use self::parts::BackupParts;
#[cfg(feature = "sqlite")]
pub use self::verify::{VerifyOptions, VerifyReport, verify};
pub use self::{
    restore::{RestoreKeys, restore},
    schedule::Schedule,
    service::{BackupService, BackupStatus},
    settings::BackupSettings,
};
