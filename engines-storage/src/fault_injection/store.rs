//! [`Faulty`], the wrapper that injects faults.

use std::{fmt::Debug, sync::Arc};

use async_trait::async_trait;
use engines_core::{
    Code, DocId, Error, Result, Scope, Store,
    audit::{AuditEntry, AuditFilter},
    event::{EventFilter, StoredEvent},
    nexus::{
        BackupSource, Batch, Capabilities, CommitError, CommitReceipt, Document, DocumentKind, DocumentQuery,
        EventFeed, FeedItem, Idempotency, Page, PageRequest, Removal, RemovalProgress, StorageUsage, StoreChange,
        StoreChanges, StreamHead, archive::Archive,
    },
    stream::{LogId, Seq, StreamEvent, StreamKey},
};
use futures_util::StreamExt;

use super::{Fault, Faults};
use crate::Operation;

/// A backend that delegates to `S` and injects the faults of its [`Faults`]. See the [module](super).
#[derive(Debug)]
pub struct Faulty<S: ?Sized> {
    faults: Faults,
    inner: Arc<S>,
}

impl<S: ?Sized> Faulty<S> {
    /// Wraps a backend, with an empty plan of faults.
    #[must_use]
    pub fn new(inner: Arc<S>) -> Self {
        Self { faults: Faults::default(), inner }
    }

    /// Returns the plan of faults.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Runs the call or injects a fault. Without a fault the call is polled in place, so that pipelined commits keep
    /// their order.
    async fn call<T, E>(
        &self,
        operation: Operation,
        call: impl Future<Output = Result<T, E>> + Send,
        fail: fn(Error) -> E,
    ) -> Result<T, E> {
        let unknown = operation == Operation::Commit;
        match self.faults.next_fault(operation) {
            None => call.await,
            Some(Fault::BeforeEffect) => Err(fail(Error::unavailable("faulty", INJECTED))),
            Some(Fault::AfterEffect) if unknown => {
                call.await.and_then(|_| Err(fail(Error::outcome_unknown("faulty", INJECTED))))
            }
            Some(Fault::AfterEffect) => call.await.and_then(|_| Err(fail(Error::unavailable("faulty", INJECTED)))),
            Some(Fault::Delayed(wait)) => {
                tokio::time::sleep(wait).await;
                call.await
            }
        }
    }
}

/// The source error of every injected failure.
const INJECTED: &str = "an injected fault";

fn commit_failed(error: Error) -> CommitError {
    match error.code() {
        Code::OutcomeUnknown => CommitError::Unknown(error),
        _ => CommitError::Backend(error),
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Store + ?Sized> Store for Faulty<S> {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn log_id(&self) -> LogId {
        self.inner.log_id()
    }

    async fn commit(&self, scope: &Scope, batch: Batch) -> Result<CommitReceipt, CommitError> {
        self.call(Operation::Commit, self.inner.commit(scope, batch), commit_failed).await
    }

    async fn receipt(&self, scope: &Scope, once: &Idempotency) -> Result<Option<(CommitReceipt, [u8; 32])>> {
        self.call(Operation::Receipt, self.inner.receipt(scope, once), std::convert::identity).await
    }

    async fn get(&self, scope: &Scope, kind: &DocumentKind, id: &DocId) -> Result<Option<Document>> {
        self.call(Operation::Get, self.inner.get(scope, kind, id), std::convert::identity).await
    }

    async fn query(&self, scope: &Scope, query: &DocumentQuery, page: PageRequest) -> Result<Page<Document>> {
        self.call(Operation::Query, self.inner.query(scope, query, page), std::convert::identity).await
    }

    async fn read(&self, scope: &Scope, key: &StreamKey, after: Seq, limit: usize) -> Result<Vec<StreamEvent>> {
        self.call(Operation::Read, self.inner.read(scope, key, after, limit), std::convert::identity).await
    }

    async fn head(&self, scope: &Scope, key: &StreamKey) -> Result<StreamHead> {
        self.call(Operation::Head, self.inner.head(scope, key), std::convert::identity).await
    }

    async fn events(&self, scope: &Scope, filter: &EventFilter, page: PageRequest) -> Result<Page<StoredEvent>> {
        self.call(Operation::Events, self.inner.events(scope, filter, page), std::convert::identity).await
    }

    async fn audit(&self, scope: &Scope, filter: &AuditFilter, page: PageRequest) -> Result<Page<AuditEntry>> {
        self.call(Operation::Audit, self.inner.audit(scope, filter, page), std::convert::identity).await
    }

    async fn remove(
        &self,
        scope: &Scope,
        removal: &Removal,
        limit: usize,
        after: Option<&str>,
    ) -> Result<RemovalProgress> {
        self.call(Operation::Remove, self.inner.remove(scope, removal, limit, after), std::convert::identity).await
    }

    async fn reclaim(&self) -> Result<bool> {
        self.call(Operation::Reclaim, self.inner.reclaim(), std::convert::identity).await
    }

    fn changes(&self) -> StoreChanges {
        let faults = self.faults.clone();
        let changes = self.inner.changes();
        Box::pin(changes.map(move |change| if faults.take_lost_change() { StoreChange::Lagged } else { change }))
    }

    async fn ping(&self) -> Result<()> {
        self.call(Operation::Ping, self.inner.ping(), std::convert::identity).await
    }

    /// Uses the faults of [`Operation::Ping`].
    async fn health(&self) -> Result<()> {
        self.call(Operation::Ping, self.inner.health(), std::convert::identity).await
    }

    fn usage(&self) -> StorageUsage {
        self.inner.usage()
    }

    /// Delegates: faults are not injected into archives.
    fn archive(&self) -> Option<&dyn Archive> {
        self.inner.archive()
    }

    fn backup_source(&self) -> Option<&dyn BackupSource> {
        self.inner.backup_source()
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: EventFeed + Debug + ?Sized> EventFeed for Faulty<S> {
    async fn scopes(&self, after: Option<&Scope>, limit: usize) -> Result<Vec<Scope>> {
        self.call(Operation::Scopes, self.inner.scopes(after, limit), std::convert::identity).await
    }

    async fn after(&self, position: u64, limit: usize) -> Result<Vec<FeedItem>> {
        self.call(Operation::Feed, self.inner.after(position, limit), std::convert::identity).await
    }
}
