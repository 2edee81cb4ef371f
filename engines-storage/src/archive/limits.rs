//! Limits of reading an archive.

/// Limits of [`read_archive`](super::read_archive). An archive that exceeds one is rejected with `BODY_TOO_LARGE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveLimits {
    /// Sum of the sizes of the archive's files, in bytes. Default: 1 TiB.
    pub total_bytes: u64,
    /// Number of files. Default: 1,000,000.
    pub files: usize,
    /// Number of records. Default: 1,000,000,000.
    pub records: u64,
}

impl Default for ArchiveLimits {
    fn default() -> Self {
        Self { total_bytes: 1 << 40, files: 1_000_000, records: 1_000_000_000 }
    }
}
