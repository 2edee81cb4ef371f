//! Tenants as portable archives: taken out, put in, copied under another name. `docs/archive.md` describes the file.

mod export;
mod import;
mod parts;
mod service;

pub use engines_storage::archive::{ArchiveLimits, Header, LeftOut, Manifest};

pub use self::{
    export::ExportOptions,
    import::{ImportOptions, Imported},
    service::TenantArchives,
};
