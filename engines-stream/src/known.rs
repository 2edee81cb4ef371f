//! Which documents are known to exist, so that not every message or gesture asks the store.

use engines_core::{DocId, Error, ResourceId, Result, Scope, Store, nexus::Kind};
use quick_cache::sync::Cache;

/// Remembers documents that exist, up to a number. For kinds whose documents are never deleted: what was once
/// there stays. What is not there is asked for each time.
pub(crate) struct Known {
    kind: Kind,
    what: &'static str,
    seen: Cache<String, ()>,
}

impl Known {
    /// Remembers up to `room` documents of `kind`; `what` is the word for one in an error.
    pub(crate) fn new(kind: Kind, what: &'static str, room: usize) -> Self {
        Self { kind, what, seen: Cache::new(room) }
    }

    /// Notes that it exists.
    pub(crate) fn note(&self, scope: &Scope, id: &ResourceId) {
        self.seen.insert(scope.key(&[id.as_str()]), ());
    }

    /// Makes sure that it exists.
    ///
    /// # Errors
    /// `NOT_FOUND`, raised by `operation`; or that the store does not answer.
    pub(crate) async fn require(
        &self,
        store: &dyn Store,
        scope: &Scope,
        id: &ResourceId,
        operation: &'static str,
    ) -> Result<()> {
        let key = scope.key(&[id.as_str()]);
        if self.seen.get(&key).is_some() {
            return Ok(());
        }
        if store.get(scope, &self.kind, &DocId::from(id)).await?.is_none() {
            return Err(Error::not_found(operation, self.what));
        }
        self.seen.insert(key, ());
        Ok(())
    }
}
