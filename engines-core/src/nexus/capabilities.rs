//! A backend's declared abilities and limits. The conformance suite selects its cases by them.

use std::collections::HashSet;

use super::{Batch, CommitError, Write, batch::Partition};
use crate::{code::Code, error::Error};

/// The abilities and limits of a backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// The backend's name for logs and metrics, such as `sqlite`.
    pub name: &'static str,
    /// Acknowledged commits survive a crash of the process and of the machine.
    pub durable: bool,
    /// Commits are applied in the order in which their futures are first polled. A second commit that expects the
    /// effect of the first may therefore be sent before the first is durable.
    pub pipelined: bool,
    /// [`super::Store::changes`] also reports commits made by other nodes.
    pub sees_other_nodes: bool,
    /// [`super::Store::remove`], [`super::Batch::delete_stream`] and [`super::Batch::expect_stream`] work. A backend
    /// without this ability keeps all data: retention, deletions and purges are rejected.
    pub removes: bool,
    /// [`super::Store::backup_source`] offers a copy of all data while the store is in use.
    pub backup: bool,
    /// The most writes in one batch; each event counts as one.
    pub max_writes: usize,
    /// The most bytes of content in one batch.
    pub max_batch_bytes: usize,
    /// The most bytes of one document.
    pub max_document_bytes: usize,
    /// The most bytes of one stream event's data.
    pub max_event_bytes: usize,
    /// The most tags on one document.
    pub max_tags: usize,
}

impl Default for Capabilities {
    /// The limits of a backend that has no tighter ones; no optional ability is declared.
    fn default() -> Self {
        Self {
            name: "custom",
            durable: false,
            pipelined: false,
            sees_other_nodes: false,
            removes: false,
            backup: false,
            max_writes: 10_000,
            max_batch_bytes: 64 << 20,
            max_document_bytes: 32 << 20,
            max_event_bytes: 1 << 20,
            max_tags: 32,
        }
    }
}

impl Capabilities {
    /// Checks what every backend must check before it commits: that `batch` is within these limits and needs no ability
    /// that is not declared, that it writes each document and stream once, and that only a spanning batch writes to the
    /// control plane.
    ///
    /// # Errors
    /// [`CommitError::Refused`], which names the limit.
    pub fn check(&self, batch: &Batch) -> Result<(), CommitError> {
        let too_large = |what: &str, limit: usize| {
            let detail = format!("{what}; this backend takes at most {limit}");
            Err(CommitError::Refused(
                Error::new(Code::BodyTooLarge, "store.commit", detail).with_member("limit", limit),
            ))
        };
        let mut writes = 0;
        let mut seen = HashSet::new();
        for write in batch.writes() {
            writes += match write {
                Write::Append { events, .. } => events.len(),
                _ => 1,
            };
            let target = match write {
                Write::Put { partition: realm, document, .. } => {
                    Some((*realm, document.kind.as_str(), document.id.as_str()))
                }
                Write::Delete { partition: realm, kind, id, .. } => Some((*realm, kind.as_str(), id.as_str())),
                Write::Append { key, .. } | Write::Trim { key, .. } | Write::DeleteStream { key } => {
                    Some((Partition::Own, "", key.as_str()))
                }
                Write::ExpectStream { .. } | Write::Record { .. } | Write::Audit(_) => None,
            };
            if target.is_some_and(|target| batch.writes().len() > 1 && !seen.insert(target)) {
                let detail = "a batch may write a document or a stream only once";
                return Err(CommitError::Refused(Error::internal("store.commit", detail)));
            }
            match write {
                Write::DeleteStream { .. } | Write::ExpectStream { .. } if !self.removes => {
                    let detail = "this backend cannot delete streams (Capabilities::removes)";
                    return Err(CommitError::Refused(Error::internal("store.commit", detail)));
                }
                Write::Put { partition: Partition::System, .. }
                | Write::Delete { partition: Partition::System, .. }
                    if !batch.is_spanning() =>
                {
                    let detail = "only a spanning batch may write to the control plane";
                    return Err(CommitError::Refused(Error::internal("store.commit", detail)));
                }
                Write::Put { document, .. } if document.body.get().len() > self.max_document_bytes => {
                    return too_large("a document is too large", self.max_document_bytes);
                }
                Write::Put { document, .. } if document.tags.len() > self.max_tags => {
                    return too_large("a document has too many tags", self.max_tags);
                }
                Write::Append { events, .. } if events.is_empty() => {
                    let detail = "an append needs at least one event";
                    return Err(CommitError::Refused(Error::internal("store.commit", detail)));
                }
                Write::Append { events, .. } if events.iter().any(|event| event.size() > self.max_event_bytes) => {
                    return too_large("an event is too large", self.max_event_bytes);
                }
                _ => {}
            }
        }
        if writes > self.max_writes {
            return too_large("the batch has too many writes", self.max_writes);
        }
        if batch.size() > self.max_batch_bytes {
            return too_large("the batch is too large", self.max_batch_bytes);
        }
        Ok(())
    }
}
