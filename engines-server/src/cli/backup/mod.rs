//! `backup`: make, list, verify and restore backups.

mod args;
mod create;
mod list;
mod location;
mod output;
mod requests;
mod restore;
mod run;
mod verify;

pub use self::args::{BackupArgs, BackupCommand, CreateArgs, KeyArgs, ListArgs, RestoreArgs, VerifyArgs};
pub(super) use self::{requests::serve_requests, run::run};
