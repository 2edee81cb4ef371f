//! Portable archives of tenants: export, import and copy under another id. `docs/archive.md` describes the file format.

mod export;
mod import;
mod service;
mod transfer;

pub use engines_storage::archive::{ArchiveHeader, ArchiveLimits, ArchiveManifest, Omission};

pub use self::{
    export::ExportOptions,
    import::{ImportOptions, ImportReport},
    service::TenantArchives,
};
