//! [`Metered`], the wrapper that counts calls.

use std::{fmt::Debug, sync::Arc};

use async_trait::async_trait;
use engines_core::{
    DocId, Error, ErrorKind, Result, Scope, Store,
    audit::{AuditEntry, AuditFilter},
    event::{EventFilter, StoredEvent},
    nexus::{
        BackupSource, Batch, Capabilities, CommitError, CommitReceipt, Document, DocumentKind, DocumentQuery,
        EventFeed, FeedItem, Idempotency, Page, PageRequest, Removal, RemovalProgress, StorageUsage, StoreChanges,
        StreamHead, archive::Archive,
    },
    stream::{LogId, Seq, StreamEvent, StreamKey},
};
use tokio::time::Instant;

use super::{CallOutcome, StoreMetrics};
use crate::Operation;

/// A backend that delegates to `S` and counts the calls. See the [module](super).
#[derive(Debug)]
pub struct Metered<S: ?Sized> {
    metrics: Arc<StoreMetrics>,
    inner: Arc<S>,
}

impl<S: ?Sized> Metered<S> {
    /// Wraps a backend, with all counters at zero.
    #[must_use]
    pub fn new(inner: Arc<S>) -> Self {
        Self { metrics: Arc::default(), inner }
    }

    /// Returns the counters. They may outlive the backend.
    #[must_use]
    pub fn metrics(&self) -> &Arc<StoreMetrics> {
        &self.metrics
    }

    async fn call<T, E>(
        &self,
        operation: Operation,
        call: impl Future<Output = Result<T, E>> + Send,
        ended: fn(&E) -> CallOutcome,
    ) -> Result<T, E> {
        let started = Instant::now();
        let running = self.metrics.begin(operation);
        let answer = call.await;
        running.finish(started.elapsed(), answer.as_ref().err().map_or(CallOutcome::Succeeded, ended));
        answer
    }
}

/// An error that means "the backend failed" counts as failed, any other as refused.
fn read_outcome(error: &Error) -> CallOutcome {
    match error.kind() {
        ErrorKind::Unavailable | ErrorKind::StorageFull | ErrorKind::Internal => CallOutcome::Failed,
        _ => CallOutcome::Refused,
    }
}

fn commit_outcome(error: &CommitError) -> CallOutcome {
    match error {
        CommitError::Backend(_) | CommitError::Unknown(_) => CallOutcome::Failed,
        _ => CallOutcome::Refused,
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Store + ?Sized> Store for Metered<S> {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn log_id(&self) -> LogId {
        self.inner.log_id()
    }

    async fn commit(&self, scope: &Scope, batch: Batch) -> Result<CommitReceipt, CommitError> {
        self.call(Operation::Commit, self.inner.commit(scope, batch), commit_outcome).await
    }

    async fn receipt(&self, scope: &Scope, once: &Idempotency) -> Result<Option<(CommitReceipt, [u8; 32])>> {
        self.call(Operation::Receipt, self.inner.receipt(scope, once), read_outcome).await
    }

    async fn get(&self, scope: &Scope, kind: &DocumentKind, id: &DocId) -> Result<Option<Document>> {
        self.call(Operation::Get, self.inner.get(scope, kind, id), read_outcome).await
    }

    async fn query(&self, scope: &Scope, query: &DocumentQuery, page: PageRequest) -> Result<Page<Document>> {
        self.call(Operation::Query, self.inner.query(scope, query, page), read_outcome).await
    }

    async fn read(&self, scope: &Scope, key: &StreamKey, after: Seq, limit: usize) -> Result<Vec<StreamEvent>> {
        self.call(Operation::Read, self.inner.read(scope, key, after, limit), read_outcome).await
    }

    async fn head(&self, scope: &Scope, key: &StreamKey) -> Result<StreamHead> {
        self.call(Operation::Head, self.inner.head(scope, key), read_outcome).await
    }

    async fn events(&self, scope: &Scope, filter: &EventFilter, page: PageRequest) -> Result<Page<StoredEvent>> {
        self.call(Operation::Events, self.inner.events(scope, filter, page), read_outcome).await
    }

    async fn audit(&self, scope: &Scope, filter: &AuditFilter, page: PageRequest) -> Result<Page<AuditEntry>> {
        self.call(Operation::Audit, self.inner.audit(scope, filter, page), read_outcome).await
    }

    async fn remove(
        &self,
        scope: &Scope,
        removal: &Removal,
        limit: usize,
        after: Option<&str>,
    ) -> Result<RemovalProgress> {
        self.call(Operation::Remove, self.inner.remove(scope, removal, limit, after), read_outcome).await
    }

    async fn reclaim(&self) -> Result<bool> {
        self.call(Operation::Reclaim, self.inner.reclaim(), read_outcome).await
    }

    fn changes(&self) -> StoreChanges {
        self.inner.changes()
    }

    async fn ping(&self) -> Result<()> {
        self.call(Operation::Ping, self.inner.ping(), read_outcome).await
    }

    /// Counts as [`Operation::Ping`].
    async fn health(&self) -> Result<()> {
        self.call(Operation::Ping, self.inner.health(), read_outcome).await
    }

    fn usage(&self) -> StorageUsage {
        self.inner.usage()
    }

    /// Delegates without counting: archives are made by operators, not by requests.
    fn archive(&self) -> Option<&dyn Archive> {
        self.inner.archive()
    }

    fn backup_source(&self) -> Option<&dyn BackupSource> {
        self.inner.backup_source()
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: EventFeed + Debug + ?Sized> EventFeed for Metered<S> {
    async fn scopes(&self, after: Option<&Scope>, limit: usize) -> Result<Vec<Scope>> {
        self.call(Operation::Scopes, self.inner.scopes(after, limit), read_outcome).await
    }

    async fn after(&self, position: u64, limit: usize) -> Result<Vec<FeedItem>> {
        self.call(Operation::Feed, self.inner.after(position, limit), read_outcome).await
    }
}
