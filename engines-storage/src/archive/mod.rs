//! The file of a tenant archive: a tar file of NDJSON with a manifest of hashes. `docs/archive.md` describes it as a stable format.
//!
//! An archive is written and read in one pass, with bounded memory. The reader takes nothing on trust: names, sizes, order, nesting, counts and
//! hashes are checked, and whoever reads acts on nothing before [`read`] has returned the manifest.
//!
//! ```
//! use engines_core::{Env, Timestamp, nexus::archive::{Counters, Record}, stream::LogId};
//! use engines_storage::archive::{ArchiveLimits, ArchiveWriter, Header, Part, read};
//!
//! let header = Header::new("t_acme".parse()?, vec![Env::Dev], LogId::from_bytes([1; 8]), Timestamp::from_secs(0), "1.0");
//! let mut writer = ArchiveWriter::begin(Vec::new(), header)?;
//! writer.records(Env::Dev, &[Record::Counters(Counters::default())])?;
//! let (file, manifest) = writer.finish(&[], Vec::new())?;
//!
//! let mut records = 0;
//! let found = read(&file[..], &ArchiveLimits::default(), |part| {
//!     if let Part::Records(_, some) = part {
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
