//! Tenants as portable archives: taken out, put in, copied under another name. `docs/archive.md` describes the file.

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
