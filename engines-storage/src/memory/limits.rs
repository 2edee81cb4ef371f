//! [`MemoryLimits`].

use engines_core::nexus::Capabilities;

/// Limits of a [`super::MemoryStore`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryLimits {
    /// Approximate maximum of stored bytes: content, and 256 bytes for each item. When it is exceeded, batches that
    /// add data fail with `STORAGE_FULL`; batches that only delete or trim still succeed. Default: 1 GiB.
    pub total_bytes: usize,
    /// Maximum bytes of events that one `read` returns; it returns at least one event. Default: 8 MiB.
    pub read_bytes: usize,
    /// Number of change notifications queued for one reader of `changes`, at least 1. A reader that falls further
    /// behind receives [`Lagged`](engines_core::nexus::StoreChange::Lagged). Default: 1,024.
    pub change_queue: usize,
    /// Maximum number of writes in one batch. The defaults of this and the following limits are those of
    /// [`Capabilities::default`].
    pub max_writes: usize,
    /// Maximum bytes of content in one batch.
    pub max_batch_bytes: usize,
    /// Maximum bytes of one document.
    pub max_document_bytes: usize,
    /// Maximum bytes of the data of one stream event.
    pub max_event_bytes: usize,
    /// Maximum number of tags on one document.
    pub max_tags: usize,
}

impl Default for MemoryLimits {
    fn default() -> Self {
        let common = Capabilities::default();
        Self {
            total_bytes: 1 << 30,
            read_bytes: 8 << 20,
            change_queue: 1024,
            max_writes: common.max_writes,
            max_batch_bytes: common.max_batch_bytes,
            max_document_bytes: common.max_document_bytes,
            max_event_bytes: common.max_event_bytes,
            max_tags: common.max_tags,
        }
    }
}

impl MemoryLimits {
    pub(super) fn capabilities(&self) -> Capabilities {
        Capabilities {
            name: "memory",
            durable: false,
            pipelined: true,
            sees_other_nodes: false,
            removes: true,
            backup: true,
            max_writes: self.max_writes,
            max_batch_bytes: self.max_batch_bytes,
            max_document_bytes: self.max_document_bytes,
            max_event_bytes: self.max_event_bytes,
            max_tags: self.max_tags,
        }
    }
}
