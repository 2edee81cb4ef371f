//! Custom backends: a sink that appends to a file, and a store that wraps another. Both pass the conformance suite.
//!
//!     cargo run --example custom_backend
#![expect(clippy::print_stdout, reason = "an example speaks to its reader")]

use std::{fs::OpenOptions, io::Write, path::PathBuf, sync::Arc};

use async_trait::async_trait;
use engines::{
    IdGenerator, Result, Scope,
    core::{
        CleanEvent, Code, DocId, Error, Store,
        audit::{AuditEntry, AuditFilter},
        event::{EventFilter, StoredEvent},
        nexus::{
            Backend, Batch, Capabilities, CommitError, CommitReceipt, Document, DocumentKind, DocumentQuery, EventFeed,
            EventSink, FeedItem, Idempotency, Page, PageRequest, SinkError, StoreChanges, StreamHead, archive::Archive,
        },
        stream::{LogId, Seq, StreamEvent, StreamKey},
    },
    storage::{MemoryStore, conformance},
};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

/// A sink is the simplest custom backend: it has two methods, and the events it gets are already scrubbed.
#[derive(Debug)]
struct JsonLinesSink {
    path: PathBuf,
}

#[async_trait]
impl EventSink for JsonLinesSink {
    fn name(&self) -> &str {
        "json_lines"
    }

    async fn write(&self, scope: &Scope, batch: &[CleanEvent]) -> Result<(), SinkError> {
        let mut lines = Vec::new();
        for event in batch {
            let line = json!({"scope": scope.prefix(), "event_id": event.event_id().to_string(), "body": event.body()});
            lines.extend_from_slice(line.to_string().as_bytes());
            lines.push(b'\n');
        }
        // A failure loses nothing: the outbox sends the same batch again.
        let write = || OpenOptions::new().create(true).append(true).open(&self.path)?.write_all(&lines);
        write().map_err(|error: std::io::Error| SinkError::Retry(Error::unavailable("json_lines.write", error)))
    }
}

/// Lets the suite read what the sink wrote.
#[async_trait]
impl conformance::ReadBack for JsonLinesSink {
    async fn event_ids(&self, scope: &Scope) -> Result<Vec<String>> {
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(Error::unavailable("json_lines.read", error)),
        };
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let own = lines.filter(|line| line["scope"] == scope.prefix());
        Ok(own.filter_map(|line| Some(line["event_id"].as_str()?.to_owned())).collect())
    }
}

/// A wrapper works with any backend: this one limits the number of concurrent commits and rejects the rest at once.
#[derive(Debug)]
struct LimitedStore<S> {
    inner: S,
    permits: Semaphore,
}

#[async_trait]
impl<S: Store> Store for LimitedStore<S> {
    async fn commit(&self, scope: &Scope, batch: Batch) -> Result<CommitReceipt, CommitError> {
        let _turn = self.permits.try_acquire().map_err(|_| {
            let detail = "too many commits at a time; try again";
            CommitError::Backend(Error::new(Code::BackendUnavailable, "polite.commit", detail))
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
    async fn receipt(&self, scope: &Scope, once: &Idempotency) -> Result<Option<(CommitReceipt, [u8; 32])>> {
        self.inner.receipt(scope, once).await
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
    fn archive(&self) -> Option<&dyn Archive> {
        self.inner.archive()
    }
}

#[async_trait]
impl<S: Store + EventFeed> EventFeed for LimitedStore<S> {
    async fn after(&self, position: u64, limit: usize) -> Result<Vec<FeedItem>> {
        self.inner.after(position, limit).await
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let sink = Arc::new(JsonLinesSink { path: folder.path().join("events.jsonl") });
    let report = conformance::sink(Arc::clone(&sink) as Arc<dyn EventSink>, Some(sink)).await?;
    println!("sink: {} cases passed", report.passed.len());

    let report = conformance::run(|_| async {
        let inner = MemoryStore::new(&IdGenerator::from_os()?);
        Ok(Arc::new(LimitedStore { inner, permits: Semaphore::new(10_000) }) as Arc<dyn Backend>)
    })
    .await?;
    println!("store: {} cases passed", report.passed.len());
    for skipped in &report.skipped {
        println!("  skipped {}: {}", skipped.case, skipped.reason);
    }
    Ok(())
}
