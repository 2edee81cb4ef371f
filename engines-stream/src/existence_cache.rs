//! A cache of documents that exist, so that not every message or gesture reads the store.

use std::sync::atomic::{AtomicU64, Ordering};

use engines_core::{DocId, Error, ResourceId, Result, Scope, Store, nexus::DocumentKind};
use quick_cache::sync::Cache;

/// Caches up to a number of documents that exist. That a document does not exist is not cached.
///
/// A document that another node deletes may stay in the cache for longer. A caller that then reads or writes the
/// document's stream must therefore handle [`engines_core::nexus::StreamHead::deleted`] and
/// [`engines_core::nexus::FailedPrecondition::Deleted`].
pub(crate) struct ExistenceCache {
    kind: DocumentKind,
    noun: &'static str,
    entries: Cache<String, ()>,
    /// The number of deletions: a read that began before a deletion is not cached after it.
    deletions: AtomicU64,
}

impl ExistenceCache {
    /// Makes a cache of up to `room` documents of `kind`; errors call one `what`.
    pub(crate) fn new(kind: DocumentKind, what: &'static str, room: usize) -> Self {
        Self { kind, noun: what, entries: Cache::new(room), deletions: AtomicU64::new(0) }
    }

    /// Adds a document that exists.
    pub(crate) fn insert(&self, scope: &Scope, id: &ResourceId) {
        self.entries.insert(scope.key(&[id.as_str()]), ());
    }

    /// Removes a document that was deleted.
    pub(crate) fn remove(&self, scope: &Scope, id: &ResourceId) {
        self.deletions.fetch_add(1, Ordering::AcqRel);
        self.entries.remove(&scope.key(&[id.as_str()]));
    }

    /// Checks that a document exists.
    ///
    /// # Errors
    /// `NOT_FOUND`, raised by `operation`; `BACKEND_UNAVAILABLE` when the store does not answer.
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
