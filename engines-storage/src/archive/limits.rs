//! What an archive may hold at most.

/// Limits of reading an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveLimits {
    /// Bytes of the whole archive, counted by its files. Default 1 TiB.
    pub total_bytes: u64,
    /// Files in it. Default 1,000,000.
    pub files: usize,
    /// Records in it. Default 1,000,000,000.
    pub records: u64,
}

impl Default for ArchiveLimits {
    fn default() -> Self {
        Self { total_bytes: 1 << 40, files: 1_000_000, records: 1_000_000_000 }
    }
}
