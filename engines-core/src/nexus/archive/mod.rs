//! Export and exact restoration of whole scopes.
//!
//! [`Archive`] is the contract of a backend that supports tenant archives and migrations. A [`ScopeSnapshot`] is a
//! consistent cut of one scope, read in pages of [`ArchiveRecord`]s. To restore, records are *staged* where no reader
//! sees them, and then *published* in one transaction.

mod record;
mod record_line;
mod traits;

pub use self::{
    record::{ArchiveRecord, ScopeCounters, Section, StoredReceipt},
    record_line::{MAX_DEPTH, MAX_LINE_BYTES},
    traits::{Archive, Publication, ScopeSnapshot, StagedScope, StoreMark},
};
