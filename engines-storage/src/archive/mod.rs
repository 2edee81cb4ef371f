//! The file format of a tenant archive: a tar file of NDJSON files with a manifest of hashes. `docs/archive.md`
//! specifies the format, which is stable.
//!
//! Reading and writing take one pass and bounded memory. [`read_archive`] does not trust its input: it checks names,
//! sizes, order, nesting depth, counts and hashes. A caller must not apply any part of an archive before
//! [`read_archive`] has returned the manifest.
//!
//! ```
//! use engines_core::{Env, Timestamp, nexus::archive::{ArchiveRecord, ScopeCounters}, stream::LogId};
//! use engines_storage::archive::{ArchiveHeader, ArchiveLimits, ArchivePart, ArchiveWriter, read_archive};
//!
//! let log = LogId::from_bytes([1; 8]);
//! let header = ArchiveHeader::new("t_acme".parse()?, vec![Env::Dev], log, Timestamp::from_secs(0), "1.0");
//! let mut writer = ArchiveWriter::begin(Vec::new(), header)?;
//! writer.add_records(Env::Dev, &[ArchiveRecord::Counters(ScopeCounters::default())])?;
//! let (file, manifest) = writer.finish(&[], Vec::new())?;
//!
//! let mut records = 0;
//! let found = read_archive(&file[..], &ArchiveLimits::default(), |part| {
//!     if let ArchivePart::Records(_, some) = part {
//!         records += some.len();
//!     }
//!     Ok(())
//! })?;
//! assert_eq!((records, found), (1, manifest));
//! # Ok::<(), engines_core::Error>(())
//! ```

mod limits;
mod manifest;
mod reader;
mod writer;

pub use self::{
    limits::ArchiveLimits,
    manifest::{ArchiveFile, ArchiveHeader, ArchiveManifest, FORMAT, Omission, TenantMember, VERSION},
    reader::{ArchivePart, read_archive},
    writer::ArchiveWriter,
};
