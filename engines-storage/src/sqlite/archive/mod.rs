//! Taking whole scopes out of the file and putting them back.
//!
//! A scope that is being restored has a row of its own in `scopes`, whose environment ends in `~staged`: no reader looks for it there. Publishing
//! renames the row, in one transaction, whatever the scope's size. Everything else refers to the row's number.

mod name;
mod publish;
mod snapshot;
mod stage;
mod store;

pub(super) use self::{
    name::{is_public, public_env},
    publish::{check_publish, publish},
    stage::{Step, discard, run, stage},
};
