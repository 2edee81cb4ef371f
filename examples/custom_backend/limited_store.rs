//! A store that wraps another and limits its concurrent commits.

use async_trait::async_trait;
use engines::{
    Result, Scope,
    core::{
        Code, DocId, Error, Store,
        audit::{AuditEntry, AuditFilter},
        event::{EventFilter, StoredEvent},
        nexus::{
            BackupSource, Batch, Capabilities, CommitError, CommitReceipt, Document, DocumentKind, DocumentQuery,
            EventFeed, FeedItem, Idempotency, Page, PageRequest, Removal, RemovalProgress, StorageUsage, StoreChanges,
            StreamHead, archive::Archive,
        },
        stream::{LogId, Seq, StreamEvent, StreamKey},
    },
};
use tokio::sync::Semaphore;

/// A wrapper works with any backend: this one limits the number of concurrent commits and rejects the rest at once.
#[derive(Debug)]
pub(crate) struct LimitedStore<S> {
    pub(crate) inner: S,
    pub(crate) permits: Semaphore,
}

// Methods with a default are easy to forget in a wrapper. This lint of clippy finds them.
#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Store> Store for LimitedStore<S> {
    async fn commit(&self, scope: &Scope, batch: Batch) -> Result<CommitReceipt, CommitError> {
        let _permit = self.permits.try_acquire().map_err(|_| {
            let detail = "too many commits at a time; try again";
            CommitError::Backend(Error::new(Code::BackendUnavailable, "limited.commit", detail))
        })?;
        self.inner.commit(scope, batch).await
    }

    // All other methods are passed on. So are the capabilities: the wrapper declares those of the inner store.
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
    fn log_id(&self) -> LogId {
        self.inner.log_id()
    }
    async fn receipt(&self, scope: &Scope, idempotency: &Idempotency) -> Result<Option<(CommitReceipt, [u8; 32])>> {
        self.inner.receipt(scope, idempotency).await
    }
    async fn get(&self, scope: &Scope, kind: &DocumentKind, id: &DocId) -> Result<Option<Document>> {
        self.inner.get(scope, kind, id).await
    }
    async fn query(&self, scope: &Scope, query: &DocumentQuery, page: PageRequest) -> Result<Page<Document>> {
        self.inner.query(scope, query, page).await
    }
    async fn read(&self, scope: &Scope, key: &StreamKey, after: Seq, limit: usize) -> Result<Vec<StreamEvent>> {
        self.inner.read(scope, key, after, limit).await
    }
    async fn head(&self, scope: &Scope, key: &StreamKey) -> Result<StreamHead> {
        self.inner.head(scope, key).await
    }
    async fn events(&self, scope: &Scope, filter: &EventFilter, page: PageRequest) -> Result<Page<StoredEvent>> {
        self.inner.events(scope, filter, page).await
    }
    async fn audit(&self, scope: &Scope, filter: &AuditFilter, page: PageRequest) -> Result<Page<AuditEntry>> {
        self.inner.audit(scope, filter, page).await
    }
    fn changes(&self) -> StoreChanges {
        self.inner.changes()
    }
    async fn ping(&self) -> Result<()> {
        self.inner.ping().await
    }

    async fn remove(
        &self,
        scope: &Scope,
        removal: &Removal,
        limit: usize,
        after: Option<&str>,
    ) -> Result<RemovalProgress> {
        self.inner.remove(scope, removal, limit, after).await
    }
    async fn reclaim(&self) -> Result<bool> {
        self.inner.reclaim().await
    }
    async fn health(&self) -> Result<()> {
        self.inner.health().await
    }
    fn usage(&self) -> StorageUsage {
        self.inner.usage()
    }
    fn archive(&self) -> Option<&dyn Archive> {
        self.inner.archive()
    }
    fn backup_source(&self) -> Option<&dyn BackupSource> {
        self.inner.backup_source()
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Store + EventFeed> EventFeed for LimitedStore<S> {
    async fn after(&self, position: u64, limit: usize) -> Result<Vec<FeedItem>> {
        self.inner.after(position, limit).await
    }
    async fn scopes(&self, after: Option<&Scope>, limit: usize) -> Result<Vec<Scope>> {
        self.inner.scopes(after, limit).await
    }
}
