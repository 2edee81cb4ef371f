//! The store contract: transactional storage of documents, streams, events and audit records.

use std::{pin::Pin, sync::Arc};

use async_trait::async_trait;
use futures_core::Stream;
use serde::de::DeserializeOwned;

use super::{
    BackupSource, Batch, Capabilities, CommitError, CommitReceipt, Document, DocumentKind, DocumentQuery, EventFeed,
    Idempotency, Page, PageRequest, Removal, RemovalProgress, StreamHead, archive::Archive,
};
use crate::{
    audit::{AuditEntry, AuditFilter},
    error::{Error, Result},
    event::{EventFilter, StoredEvent},
    id::DocId,
    scope::Scope,
    stream::{LogId, Seq, StreamEvent, StreamKey},
};

/// A notification that stored data changed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum StoreChange {
    /// These streams now have these heads. Each stream is named once.
    Appended(Arc<[(Scope, StreamKey, Seq)]>),
    /// These streams were deleted permanently.
    Deleted(Arc<[(Scope, StreamKey)]>),
    /// Notifications were lost: the receiver must look at every stream it follows.
    Lagged,
}

/// Change notifications from the moment of the call. The stream ends when the store is closed.
pub type StoreChanges = Pin<Box<dyn Stream<Item = StoreChange> + Send>>;

/// Transactional storage of documents, streams, events and audit records.
///
/// Every method takes a scope, and data of other scopes is invisible to it. Implementations are cancel-safe: after a
/// future was dropped, its batch is written completely or not at all. The conformance suite
/// (`engines_storage::conformance`) specifies all other behaviour.
#[async_trait]
pub trait Store: Send + Sync + std::fmt::Debug {
    /// The backend's abilities and limits.
    fn capabilities(&self) -> Capabilities;

    /// The id of this store's log. It is made at random when the database is created, and never changes.
    fn log_id(&self) -> LogId;

    /// Writes all of `batch` or nothing. The batch is durable on return if [`Capabilities::durable`].
    ///
    /// Preconditions are checked in order against the state before the batch. A batch may name each document id at most
    /// once, and each stream at most once.
    ///
    /// # Errors
    /// See [`CommitError`].
    async fn commit(&self, scope: &Scope, batch: Batch) -> Result<CommitReceipt, CommitError>;

    /// The receipt of an earlier batch with the namespace and key of `once`, and that batch's fingerprint.
    /// `once.fingerprint` and `once.note` are ignored.
    ///
    /// # Errors
    /// `BACKEND_UNAVAILABLE` when the backend does not answer; this holds for all reads.
    async fn receipt(&self, scope: &Scope, once: &Idempotency) -> Result<Option<(CommitReceipt, [u8; 32])>>;

    /// Reads one document; `None` if it does not exist.
    ///
    /// # Errors
    /// As [`Store::receipt`].
    async fn get(&self, scope: &Scope, kind: &DocumentKind, id: &DocId) -> Result<Option<Document>>;

    /// Lists documents, one page at a time. A page of 0 items counts as a page of 1.
    ///
    /// # Errors
    /// `CURSOR_INVALID` for a malformed page token; otherwise as [`Store::receipt`].
    async fn query(&self, scope: &Scope, query: &DocumentQuery, page: PageRequest) -> Result<Page<Document>>;

    /// Reads up to `limit` events after `after`, in order. It may return fewer to bound memory; only an empty list
    /// means that there are no more.
    ///
    /// # Errors
    /// As [`Store::receipt`].
    async fn read(&self, scope: &Scope, key: &StreamKey, after: Seq, limit: usize) -> Result<Vec<StreamEvent>>;

    /// The head of a stream; [`StreamHead::EMPTY`] for a stream that never had an event.
    ///
    /// # Errors
    /// As [`Store::receipt`].
    async fn head(&self, scope: &Scope, key: &StreamKey) -> Result<StreamHead>;

    /// Lists dataset events in the order in which they were recorded, one page at a time. A page may be short, or even
    /// empty, although its `next` says that there are more, because the number of events that a filter skips is bounded
    /// too ([`EventFilter::MAX_SCANNED`] in the built-in stores). A page of 0 items counts as a page of 1. Tokens belong
    /// to this log: use [`PageRequest::unbind_from_log`] and [`Page::bind_to_log`].
    ///
    /// # Errors
    /// As [`Store::query`].
    async fn events(&self, scope: &Scope, filter: &EventFilter, page: PageRequest) -> Result<Page<StoredEvent>>;

    /// Lists audit records in the order in which they were written, one page at a time. A page of 0 items counts as a
    /// page of 1. Tokens belong to this log, as those of [`Store::events`].
    ///
    /// # Errors
    /// As [`Store::query`].
    async fn audit(&self, scope: &Scope, filter: &AuditFilter, page: PageRequest) -> Result<Page<AuditEntry>>;

    /// Takes one bounded step of a removal: removes at most `limit` (at least 1) items, and skips a bounded number of
    /// others. `after` is the [`RemovalProgress::position`] of the previous step, or `None` for the first.
    ///
    /// On return the removed items are gone for readers, and the removal is durable like a commit. Each step is atomic,
    /// so that a removal can be abandoned, or restarted after a crash, at any step. Bytes may stay in the backend's
    /// files until [`Store::reclaim`] is done.
    ///
    /// # Errors
    /// `CURSOR_INVALID` for a malformed `after`; `INTERNAL` when the backend cannot remove ([`Capabilities::removes`]);
    /// otherwise as [`Store::receipt`].
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

    /// Takes one bounded step of returning freed space and of making removed content unreadable in the backend's own
    /// files. Returns whether nothing is left to do; if it returns false, call it again after a pause. The default does
    /// nothing, for backends without files of their own.
    ///
    /// # Errors
    /// As [`Store::receipt`].
    async fn reclaim(&self) -> Result<bool> {
        Ok(true)
    }

    /// Notifications about appended and deleted streams, from now on.
    fn changes(&self) -> StoreChanges;

    /// Checks that the backend answers. It must be cheap enough to be called every second.
    ///
    /// # Errors
    /// `BACKEND_UNAVAILABLE` when it does not answer.
    async fn ping(&self) -> Result<()>;

    /// Checks that the backend can serve reads *and* writes now, for readiness checks. A backend whose last commit
    /// failed returns an error until a write has succeeded; it may try a small write of its own, at most about once a
    /// second. The error's detail is public, because the server's readiness endpoint shows it: it must not hold paths,
    /// addresses or secrets.
    ///
    /// The default is [`Store::ping`].
    ///
    /// # Errors
    /// Why the backend is not ready, usually `BACKEND_UNAVAILABLE` or `STORAGE_FULL`.
    async fn health(&self) -> Result<()> {
        self.ping().await
    }

    /// The space the backend uses, for metrics. It must be cheap enough to be called every second. The default reports
    /// nothing.
    fn usage(&self) -> StorageUsage {
        StorageUsage::default()
    }

    /// The contract for exporting and restoring whole scopes; `None` for a backend without it, which then supports
    /// neither tenant archives nor migration. A wrapper returns that of the store it wraps.
    fn archive(&self) -> Option<&dyn Archive> {
        None
    }

    /// The source that copies all data of this store into a backup; `None` if the store has none
    /// ([`Capabilities::backup`]).
    fn backup_source(&self) -> Option<&dyn BackupSource> {
        None
    }
}

/// The space a backend uses, as far as the backend can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct StorageUsage {
    /// Bytes of the data.
    pub data_bytes: Option<u64>,
    /// Bytes of the write-ahead log, which is not part of `data_bytes`.
    pub log_bytes: Option<u64>,
}

impl StorageUsage {
    /// Makes a usage of this many bytes of data and of write-ahead log.
    #[must_use]
    pub const fn new(data_bytes: Option<u64>, log_bytes: Option<u64>) -> Self {
        Self { data_bytes, log_bytes }
    }
}

/// Conveniences for callers of any [`Store`].
#[async_trait]
pub trait StoreExt: Store {
    /// Reads one document and deserialises its body.
    ///
    /// # Errors
    /// As [`Store::get`] and [`Document::decode`].
    async fn load<T: DeserializeOwned>(&self, scope: &Scope, kind: &DocumentKind, id: &DocId) -> Result<Option<T>> {
        self.get(scope, kind, id).await?.map(|document| document.decode()).transpose()
    }
}

impl<S: Store + ?Sized> StoreExt for S {}

/// A store with its outbox: the storage an engine needs.
pub trait Backend: Store + EventFeed {}

impl<B: Store + EventFeed + ?Sized> Backend for B {}
