//! A store that fails on request, before or after the effect, and that can hold commits back.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use engines_core::{
    Batch, Code, DocId, Error, Result, Scope, Store, StreamEvent, StreamKey,
    audit::{AuditEntry, AuditFilter},
    event::{EventFilter, StoredEvent},
    nexus::{
        Capabilities, CommitError, CommitReceipt, Document, DocumentKind, DocumentQuery, Idempotency, Page,
        PageRequest, StoreChanges, StreamHead,
    },
    stream::{LogId, Seq},
};
use tokio::sync::Semaphore;

/// The fault of a commit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum CommitFault {
    /// The commit fails without an effect.
    BeforeEffect,
    /// The commit takes effect and reports a failure.
    AfterEffect,
    /// The commit panics without an effect.
    Panic,
}

/// A store with injected faults.
#[derive(Debug)]
pub(crate) struct FaultyStore {
    inner: Arc<dyn Store>,
    pub(crate) pipelined: bool,
    /// The faults, by the number of the commit among all commits of canvas events, from 1.
    faults: Mutex<HashMap<u64, CommitFault>>,
    commits: AtomicU64,
    /// Reads fail while this is set.
    pub(crate) reads_fail: std::sync::atomic::AtomicBool,
    /// Each commit of a canvas event is durable only with a permit of this.
    pub(crate) gate: Semaphore,
    pub(crate) most_in_flight: AtomicU64,
    in_flight: AtomicU64,
}

impl FaultyStore {
    pub(crate) fn new(inner: Arc<dyn Store>) -> Self {
        Self {
            inner,
            pipelined: true,
            faults: Mutex::default(),
            commits: AtomicU64::new(0),
            reads_fail: false.into(),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
            most_in_flight: AtomicU64::new(0),
            in_flight: AtomicU64::new(0),
        }
    }

    /// Injects a fault into the `nth` next commit, counted from 1.
    pub(crate) fn fail(&self, nth: u64, fault: CommitFault) {
        self.faults.lock().unwrap().insert(self.commits.load(Ordering::SeqCst) + nth, fault);
    }

    pub(crate) fn hold_commits(&self) {
        self.gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    fn check_readable(&self) -> Result<()> {
        if self.reads_fail.load(Ordering::SeqCst) { Err(store_down().into()) } else { Ok(()) }
    }
}

fn store_down() -> CommitError {
    CommitError::Backend(Error::new(Code::BackendUnavailable, "faulty", "told to fail"))
}

#[async_trait]
impl Store for FaultyStore {
    fn capabilities(&self) -> Capabilities {
        Capabilities { pipelined: self.pipelined, ..self.inner.capabilities() }
    }

    fn log_id(&self) -> LogId {
        self.inner.log_id()
    }

    async fn commit(&self, scope: &Scope, batch: Batch) -> Result<CommitReceipt, CommitError> {
        use engines_core::nexus::Write;
        if !batch.writes().iter().any(|write| matches!(write, Write::Append { .. })) {
            return self.inner.commit(scope, batch).await;
        }
        let nth = self.commits.fetch_add(1, Ordering::SeqCst) + 1;
        let fault = self.faults.lock().unwrap().remove(&nth);
        let running = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_in_flight.fetch_max(running, Ordering::SeqCst);
        let result = match fault {
            Some(CommitFault::BeforeEffect) => Err(store_down()),
            Some(CommitFault::Panic) => panic!("told to panic"),
            Some(CommitFault::AfterEffect) => self.inner.commit(scope, batch).await.and_then(|_| Err(store_down())),
            None => self.inner.commit(scope, batch).await,
        };
        // The effects keep their order; only the answer is delayed.
        let _permit = self.gate.acquire().await.unwrap();
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
        result
    }

    async fn receipt(&self, scope: &Scope, once: &Idempotency) -> Result<Option<(CommitReceipt, [u8; 32])>> {
        self.check_readable()?;
        self.inner.receipt(scope, once).await
    }

    async fn get(&self, scope: &Scope, kind: &DocumentKind, id: &DocId) -> Result<Option<Document>> {
        self.check_readable()?;
        self.inner.get(scope, kind, id).await
    }

    async fn query(&self, scope: &Scope, query: &DocumentQuery, page: PageRequest) -> Result<Page<Document>> {
        self.check_readable()?;
        self.inner.query(scope, query, page).await
    }

    async fn read(&self, scope: &Scope, key: &StreamKey, after: Seq, limit: usize) -> Result<Vec<StreamEvent>> {
        self.check_readable()?;
        self.inner.read(scope, key, after, limit).await
    }

    async fn head(&self, scope: &Scope, key: &StreamKey) -> Result<StreamHead> {
        self.check_readable()?;
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
        self.check_readable()
    }
}
