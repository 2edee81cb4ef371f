//! Which documents are known to exist, so that not every message or gesture asks the store.

use std::sync::atomic::{AtomicU64, Ordering};

use engines_core::{DocId, Error, ResourceId, Result, Scope, Store, nexus::DocumentKind};
use quick_cache::sync::Cache;

/// Remembers documents that exist, up to a number. What is not there is asked for each time.
///
/// A document that another node deletes may be remembered for longer; so whoever asks here and then reads or writes the document's
/// stream must also take [`engines_core::nexus::Head::deleted`] and [`engines_core::nexus::Failed::Deleted`] for an answer.
pub(crate) struct ExistenceCache {
    kind: DocumentKind,
    noun: &'static str,
    entries: Cache<String, ()>,
    /// Counts deletions: what was read before one is not remembered after it.
    deletions: AtomicU64,
}

impl ExistenceCache {
    /// Remembers up to `room` documents of `kind`; `what` is the word for one in an error.
    pub(crate) fn new(kind: DocumentKind, what: &'static str, room: usize) -> Self {
        Self { kind, noun: what, entries: Cache::new(room), deletions: AtomicU64::new(0) }
    }

    /// Notes that it exists.
    pub(crate) fn insert(&self, scope: &Scope, id: &ResourceId) {
        self.entries.insert(scope.key(&[id.as_str()]), ());
    }

    /// Notes that it was deleted.
    pub(crate) fn remove(&self, scope: &Scope, id: &ResourceId) {
        self.deletions.fetch_add(1, Ordering::AcqRel);
        self.entries.remove(&scope.key(&[id.as_str()]));
    }

    /// Makes sure that it exists.
    ///
    /// # Errors
    /// `NOT_FOUND`, raised by `operation`; or that the store does not answer.
    pub(crate) async fn require_exists(
        &self,
        store: &dyn Store,
        scope: &Scope,
        id: &ResourceId,
        operation: &'static str,
    ) -> Result<()> {
        let key = scope.key(&[id.as_str()]);
        if self.entries.get(&key).is_some() {
            return Ok(());
        }
        let deletions = self.deletions.load(Ordering::Acquire);
        if store.get(scope, &self.kind, &DocId::from(id)).await?.is_none() {
            return Err(Error::not_found(operation, self.noun));
        }
        self.entries.insert(key.clone(), ());
        if self.deletions.load(Ordering::Acquire) != deletions {
            self.entries.remove(&key);
        }
        Ok(())
    }
}
