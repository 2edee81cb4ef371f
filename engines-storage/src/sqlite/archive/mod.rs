//! Export and restore of whole scopes.
//!
//! A scope that is being restored has its own row in `scopes`. The row's environment ends in `~staged`, so that
//! readers do not find it. Publishing renames the row in one transaction, whatever the scope's size, because all
//! other rows refer to the scope by the row's number.

mod publication;
mod snapshot;
mod staging;

pub(super) use self::{
    publication::{check_publish, publish},
    snapshot::SqliteSnapshot,
    staging::{discard_rows, run_write, stage},
};
