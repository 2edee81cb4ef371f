//! The store.

use std::{
    fmt,
    sync::{Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use async_trait::async_trait;
use engines_core::{
    DocId, Result, Scope, Store,
    audit::{AuditEntry, AuditFilter},
    clock::IdGenerator,
    event::{EventFilter, StoredEvent},
    nexus::{
        BackupSource, Batch, Capabilities, CommitError, CommitReceipt, Document, DocumentKind, DocumentQuery,
        EventFeed, FeedItem, Idempotency, Page, PageRequest, Removal, RemovalProgress, StorageUsage, StoreChange,
        StoreChanges, StreamHead, archive::Archive,
    },
    stream::{LogId, Seq, StreamEvent, StreamKey},
};
use futures_util::stream;
use tokio::sync::broadcast::{self, error::RecvError};

use super::{MemoryLimits, documents, events, scope_data, state::MemoryState};

/// A store in memory. See the [module](super).
pub struct MemoryStore {
    limits: MemoryLimits,
    log_id: Mutex<LogId>,
    state: RwLock<MemoryState>,
    changes: broadcast::Sender<StoreChange>,
}

impl MemoryStore {
    /// An empty store with the default limits; the log's id comes from `ids`.
    #[must_use]
    pub fn new(ids: &IdGenerator) -> Self {
        Self::with_limits(ids, MemoryLimits::default())
    }

    /// An empty store with these limits.
    #[must_use]
    pub fn with_limits(ids: &IdGenerator, limits: MemoryLimits) -> Self {
        let (changes, _) = broadcast::channel(limits.change_queue.max(1));
        Self { limits, log_id: Mutex::new(LogId::from_bytes(ids.bytes())), state: RwLock::default(), changes }
    }

    /// Nothing that runs under the lock can leave it half done, so a poisoned lock is as good as any.
    pub(super) fn state(&self) -> RwLockReadGuard<'_, MemoryState> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn state_mut(&self) -> RwLockWriteGuard<'_, MemoryState> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn total_bytes(&self) -> usize {
        self.limits.total_bytes
    }

    /// Takes the id of another log.
    pub(super) fn set_log_id(&self, log: LogId) {
        *self.log_id.lock().unwrap_or_else(PoisonError::into_inner) = log;
    }

    /// Tells whoever listens; without listeners it goes nowhere.
    pub(super) fn notify(&self, change: StoreChange) {
        let _ = self.changes.send(change);
    }

    /// Puts another state in the place of this one.
    pub(super) fn replace_state(&self, state: MemoryState) {
        *self.state_mut() = state;
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for MemoryStore {
    fn capabilities(&self) -> Capabilities {
        self.limits.capabilities()
    }

    fn log_id(&self) -> LogId {
        *self.log_id.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn commit(&self, scope: &Scope, batch: Batch) -> Result<CommitReceipt, CommitError> {
        batch.check(&self.capabilities())?;
        let system = Scope::system().map_err(CommitError::Backend)?;
        let mut state = self.state_mut();
        let (receipt, changes) = state.commit(scope, &system, batch, self.limits.total_bytes)?;
        for change in changes {
            // Sent under the lock, so that wake-ups come in the order of commits. Without readers it goes nowhere.
            let _ = self.changes.send(change);
        }
        Ok(receipt)
    }

    async fn receipt(&self, scope: &Scope, once: &Idempotency) -> Result<Option<(CommitReceipt, [u8; 32])>> {
        Ok(self.state().receipt(scope, once).cloned())
    }

    async fn get(&self, scope: &Scope, kind: &DocumentKind, id: &DocId) -> Result<Option<Document>> {
        Ok(self.state().scope_data(scope).and_then(|space| space.documents.get(kind)?.get(id)).cloned())
    }

    async fn query(&self, scope: &Scope, query: &DocumentQuery, page: PageRequest) -> Result<Page<Document>> {
        let state = self.state();
        match state.scope_data(scope).and_then(|space| space.documents.get(&query.kind)) {
            Some(documents) => documents.query(query, &page),
            None => documents::check_page(query, &page).map(|()| empty_page()),
        }
    }

    async fn read(&self, scope: &Scope, key: &StreamKey, after: Seq, limit: usize) -> Result<Vec<StreamEvent>> {
        let state = self.state();
        let log = state.scope_data(scope).and_then(|space| space.streams.get(key));
        Ok(log.map(|log| log.read(after, limit, self.limits.read_bytes)).unwrap_or_default())
    }

    async fn head(&self, scope: &Scope, key: &StreamKey) -> Result<StreamHead> {
        Ok(self.state().head(scope, key))
    }

    async fn events(&self, scope: &Scope, filter: &EventFilter, page: PageRequest) -> Result<Page<StoredEvent>> {
        match self.state().scope_data(scope) {
            Some(space) => space.events.page(filter, &page),
            None => events::check_page(&page).map(|()| empty_page()),
        }
    }

    async fn audit(&self, scope: &Scope, filter: &AuditFilter, page: PageRequest) -> Result<Page<AuditEntry>> {
        match self.state().scope_data(scope) {
            Some(space) => space.audit_page(filter, &page),
            None => scope_data::check_audit_page(&page).map(|()| empty_page()),
        }
    }

    async fn remove(
        &self,
        scope: &Scope,
        removal: &Removal,
        limit: usize,
        after: Option<&str>,
    ) -> Result<RemovalProgress> {
        self.state.write().unwrap_or_else(PoisonError::into_inner).remove(scope, removal, limit, after)
    }

    async fn reclaim(&self) -> Result<bool> {
        Ok(true)
    }

    fn changes(&self) -> StoreChanges {
        Box::pin(stream::unfold(self.changes.subscribe(), |mut receiver| async move {
            match receiver.recv().await {
                Ok(change) => Some((change, receiver)),
                Err(RecvError::Lagged(_)) => Some((StoreChange::Lagged, receiver)),
                Err(RecvError::Closed) => None,
            }
        }))
    }

    async fn ping(&self) -> Result<()> {
        Ok(())
    }

    async fn health(&self) -> Result<()> {
        Ok(())
    }

    fn usage(&self) -> StorageUsage {
        StorageUsage::new(Some(self.state().bytes as u64), None)
    }

    fn archive(&self) -> Option<&dyn Archive> {
        Some(self)
    }

    fn backup_source(&self) -> Option<&dyn BackupSource> {
        Some(self)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl EventFeed for MemoryStore {
    async fn after(&self, position: u64, limit: usize) -> Result<Vec<FeedItem>> {
        Ok(self.state().feed(position, limit))
    }

    async fn scopes(&self, after: Option<&Scope>, limit: usize) -> Result<Vec<Scope>> {
        let state = self.state();
        let name = |scope: &Scope| (scope.tenant().as_str().to_owned(), scope.env().as_str());
        let after = after.map(name);
        let mut scopes: Vec<_> =
            state.scopes.keys().filter(|scope| after.as_ref().is_none_or(|after| name(scope) > *after)).collect();
        scopes.sort_by_key(|scope| name(scope));
        Ok(scopes.into_iter().take(limit).cloned().collect())
    }
}

fn empty_page<T>() -> Page<T> {
    Page { items: Vec::new(), next: None }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("log_id", &self.log_id())
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
