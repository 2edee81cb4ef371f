//! The store: a transactional home for documents, streams, events and audit records.

use std::{pin::Pin, sync::Arc};

use async_trait::async_trait;
use futures_core::Stream;
use serde::de::DeserializeOwned;

use super::{
    BackupSource, Batch, Capabilities, CommitError, CommitReceipt, Document, DocumentKind, DocumentQuery, EventFeed,
    Idempotency, Page, PageRequest, Removal, RemovalProgress, archive::Archive,
};
use crate::{
    audit::{AuditEntry, AuditFilter},
    error::{Error, Result},
    event::{EventFilter, StoredEvent},
    id::DocId,
    scope::Scope,
    stream::{LogId, Seq, StreamEvent, StreamKey},
};

/// A stream's two ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StreamHead {
    /// The last event's place; 0 when there is none.
    pub seq: Seq,
    /// The oldest event still kept; 1 unless retention took some, and one past `seq` when it took all.
    pub first: Seq,
    /// The stream was deleted for good ([`Batch::delete_stream`]); then `first` is one past `seq`.
    pub deleted: bool,
}

impl StreamHead {
    /// The ends of a stream that never had an event.
    pub const EMPTY: Self = Self { seq: Seq::ZERO, first: Seq(1), deleted: false };
}

/// A wake-up.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum StoreChange {
    /// These streams have these heads now. Each is named once.
    Appended(Arc<[(Scope, StreamKey, Seq)]>),
    /// These streams were deleted for good.
    Deleted(Arc<[(Scope, StreamKey)]>),
    /// Wake-ups were lost: look at every stream you care for.
    Lagged,
}

/// Wake-ups as they come, from the moment of the call. It ends when the store is closed.
pub type StoreChanges = Pin<Box<dyn Stream<Item = StoreChange> + Send>>;

/// A transactional home for documents, streams, events and audit records.
///
/// Every method takes a scope, and what belongs to another does not exist. Implementations are cancel-safe: a dropped
/// future leaves a batch wholly written or not at all. The conformance suite (`engines_storage::conformance`) says the rest exactly.
#[async_trait]
pub trait Store: Send + Sync + std::fmt::Debug {
    /// What it can do, and its limits.
    fn capabilities(&self) -> Capabilities;

    /// Which log this is. Made at random when the database is made, and never changed.
    fn log_id(&self) -> LogId;

    /// Writes all of `batch` or nothing; durable when it returns (if [`Capabilities::durable`]).
    ///
    /// Preconditions are checked in order against the state before the batch. A document id may occur once in a batch, and so may a stream.
    ///
    /// # Errors
    /// See [`CommitError`].
    async fn commit(&self, scope: &Scope, batch: Batch) -> Result<CommitReceipt, CommitError>;

    /// The receipt of an earlier batch with this key, and its fingerprint; `once.fingerprint` and `once.note` are not looked at.
    ///
    /// # Errors
    /// `BACKEND_UNAVAILABLE` when the backend does not answer; so for all reads.
    async fn receipt(&self, scope: &Scope, once: &Idempotency) -> Result<Option<(CommitReceipt, [u8; 32])>>;

    /// One document.
    ///
    /// # Errors
    /// As [`Store::receipt`].
    async fn get(&self, scope: &Scope, kind: &DocumentKind, id: &DocId) -> Result<Option<Document>>;

    /// Documents, a page at a time.
    ///
    /// # Errors
    /// `CURSOR_INVALID` for a malformed page token; else as [`Store::receipt`].
    async fn query(&self, scope: &Scope, query: &DocumentQuery, page: PageRequest) -> Result<Page<Document>>;

    /// Up to `limit` events after `after`, in order. It may return fewer to bound memory; only an empty answer is the end.
    ///
    /// # Errors
    /// As [`Store::receipt`].
    async fn read(&self, scope: &Scope, key: &StreamKey, after: Seq, limit: usize) -> Result<Vec<StreamEvent>>;

    /// A stream's ends; an unknown stream is empty.
    ///
    /// # Errors
    /// As [`Store::receipt`].
    async fn head(&self, scope: &Scope, key: &StreamKey) -> Result<StreamHead>;

    /// Dataset events in the order they were recorded, a page at a time. A page may be short, even empty, while its `next` says that there is more:
    /// what a filter passes over is bounded too ([`EventFilter::MAX_SCANNED`] here).
    ///
    /// # Errors
    /// As [`Store::query`].
    async fn events(&self, scope: &Scope, filter: &EventFilter, page: PageRequest) -> Result<Page<StoredEvent>>;

    /// Audit records in the order they were written, a page at a time.
    ///
    /// # Errors
    /// As [`Store::query`].
    async fn audit(&self, scope: &Scope, filter: &AuditFilter, page: PageRequest) -> Result<Page<AuditEntry>>;

    /// Takes one bounded step of removing something: at most `limit` (at least 1) stored things are removed, and a bounded number of others is
    /// passed over. `after` is the [`Removed::position`] of the step before, or none for the first.
    ///
    /// What a step removed is gone for readers when it returns, and durable like a commit. Each step is atomic, so that a removal can be
    /// given up, or begun anew after a crash, at any step. Bytes may stay in the backend's files until [`Store::reclaim`] is done.
    ///
    /// # Errors
    /// `CURSOR_INVALID` for a malformed `after`; `INTERNAL` when the backend cannot remove ([`Capabilities::removes`]);
    /// else as [`Store::receipt`].
    async fn remove(
        &self,
        scope: &Scope,
        removal: &Removal,
        limit: usize,
        after: Option<&str>,
    ) -> Result<RemovalProgress> {
        let _ = (scope, removal, limit, after);
        Err(Error::internal("store.remove", "this backend cannot remove (Capabilities::removes)"))
    }

    /// Takes one bounded step of giving freed space back and of making removed content unreadable in the backend's own files. Returns
    /// whether nothing is left to do; call it again after a pause otherwise. For backends without files of their own there is nothing to do.
    ///
    /// # Errors
    /// As [`Store::receipt`].
    async fn reclaim(&self) -> Result<bool> {
        Ok(true)
    }

    /// Wake-ups about appended and deleted streams, from now on.
    fn changes(&self) -> StoreChanges;

    /// Whether the backend answers; cheap enough to be asked every second.
    ///
    /// # Errors
    /// `BACKEND_UNAVAILABLE` when it does not.
    async fn ping(&self) -> Result<()>;

    /// Whether the backend can serve reads *and* writes now, for readiness checks. A backend that knows that its last commit
    /// failed answers with an error until a write has succeeded; it may try a small write of its own, at most about once a second.
    /// The detail of the error is shown to anyone who asks for the server's readiness, so it holds no paths, addresses or secrets.
    ///
    /// The default is [`Store::ping`].
    ///
    /// # Errors
    /// Why it is not ready: as a rule `BACKEND_UNAVAILABLE` or `STORAGE_FULL`.
    async fn health(&self) -> Result<()> {
        self.ping().await
    }

    /// How much space the backend uses, for metrics; cheap enough to be asked every second. The default knows nothing.
    fn usage(&self) -> StorageUsage {
        StorageUsage::default()
    }

    /// The side through which whole scopes are taken out and put back; none for a backend without it, which then has no tenant archives and no
    /// migration. A wrapper returns that of what it wraps.
    fn archive(&self) -> Option<&dyn Archive> {
        None
    }

    /// What copies everything this store holds into a backup; none if it cannot ([`Capabilities::backup`]).
    fn backup_source(&self) -> Option<&dyn BackupSource> {
        None
    }
}

/// The space a backend uses, as far as it knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct StorageUsage {
    /// Bytes of the data.
    pub data_bytes: Option<u64>,
    /// Bytes of the write-ahead log, which is not part of `data_bytes`.
    pub log_bytes: Option<u64>,
}

impl StorageUsage {
    /// A usage of this many bytes of data and of write-ahead log.
    #[must_use]
    pub const fn new(data_bytes: Option<u64>, log_bytes: Option<u64>) -> Self {
        Self { data_bytes, log_bytes }
    }
}

/// Conveniences for callers of any [`Store`].
#[async_trait]
pub trait StoreExt: Store {
    /// One document's body, decoded.
    ///
    /// # Errors
    /// As [`Store::get`] and [`Document::decode`].
    async fn load<T: DeserializeOwned>(&self, scope: &Scope, kind: &DocumentKind, id: &DocId) -> Result<Option<T>> {
        self.get(scope, kind, id).await?.map(|document| document.decode()).transpose()
    }
}

impl<S: Store + ?Sized> StoreExt for S {}

/// A store with its outbox side: what an engine is built on.
pub trait Backend: Store + EventFeed {}

impl<B: Store + EventFeed + ?Sized> Backend for B {}
