//! What a memory store may hold.

use engines_core::nexus::Capabilities;

/// Limits of a [`super::MemoryStore`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryLimits {
    /// Bytes kept at the most, counted roughly: content, and 256 bytes for each kept thing. Past it, batches that add
    /// something fail with `BACKEND_UNAVAILABLE`; those that only delete or trim still work. Default 1 GiB.
    pub total_bytes: usize,
    /// Bytes of events one `read` returns at the most, but always at least one event. Default 8 MiB.
    pub read_bytes: usize,
    /// Wake-ups waiting for one reader of `changes`, at least 1; one that falls further behind is told `Missed`. Default 1,024.
    pub change_queue: usize,
    /// Writes in one batch; default as [`Capabilities::default`], and so for the rest.
    pub max_writes: usize,
    /// Bytes of content in one batch.
    pub max_batch_bytes: usize,
    /// Bytes of one document.
    pub max_document_bytes: usize,
    /// Bytes of one stream event's data.
    pub max_event_bytes: usize,
    /// Labels on one document.
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
