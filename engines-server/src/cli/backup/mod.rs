//! `backup`: make, list, verify and restore backups.

mod args;
mod create;
mod list;
mod place;
mod requests;
mod restore;
mod run;
mod show;
mod verify;

pub use self::args::{BackupArgs, BackupCommand, CreateArgs, KeyArgs, ListArgs, RestoreArgs, VerifyArgs};
pub(super) use self::{requests::answer_requests, run::run};
