//! Taking whole scopes out of a store and putting them back exactly as they were.
//!
//! [`Archive`] is the side of a backend that tenant archives and migrations use. A [`Snapshot`] is a consistent cut of one scope that is read in
//! pages of [`Record`]s. Restoring goes the other way: records are *staged* where no reader finds them, and *published* in one transaction.

mod record;
mod record_line;
mod traits;

pub use self::{
    record::{ArchiveRecord, ScopeCounters, Section, StoredReceipt},
    record_line::{MAX_DEPTH, MAX_LINE_BYTES},
    traits::{Archive, Publication, ScopeSnapshot, StagedScope, StoreMark},
};
