//! Taking whole scopes out of the file and putting them back.
//!
//! A scope that is being restored has a row of its own in `scopes`, whose environment ends in `~staged`: no reader looks for it there. Publishing
//! renames the row, in one transaction, whatever the scope's size. Everything else refers to the row's number.

mod archive_impl;
mod publication;
mod snapshot;
mod staged_name;
mod staging;

pub(super) use self::{
    publication::{check_publish, publish},
    staged_name::{is_public, public_env},
    staging::{ArchiveWrite, discard_rows, run_write, stage},
};
