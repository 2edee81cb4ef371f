//! The traits a backend implements to be archived.

use async_trait::async_trait;

use super::{ArchiveRecord, Section};
use crate::{
    error::Result,
    nexus::{Batch, CommitError, CommitReceipt, Page, PageRequest},
    scope::Scope,
    stream::LogId,
};

/// The state of a store that belongs to no scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreMark {
    /// The id of its log, which cursors hold.
    pub log_id: LogId,
    /// The highest position its event feed has ever assigned.
    pub feed_position: u64,
}

/// A consistent cut of one scope: the state that was committed at one moment, independent of later writes.
///
/// A backend may bound how long it keeps a snapshot, because a snapshot can block the reclaiming of space. Reading a
/// page after that fails with `BACKEND_UNAVAILABLE`.
#[async_trait]
pub trait ScopeSnapshot: Send + Sync + std::fmt::Debug {
    /// Reads records of a section, in the order [`Section`] states. A page may be short, or even empty, although its
    /// `next` says that there are more. A token is valid in any later snapshot of the same scope, where it continues
    /// after the same record.
    ///
    /// # Errors
    /// `CURSOR_INVALID` for a malformed token; `BACKEND_UNAVAILABLE` when the backend does not answer or the snapshot
    /// has ended.
    async fn records(&self, section: Section, page: PageRequest) -> Result<Page<ArchiveRecord>>;
}

/// A scope that is being restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagedScope {
    /// The scope.
    pub scope: Scope,
    /// The `progress` of the last [`Archive::stage`].
    pub progress: String,
}

/// The content of an [`Archive::publish`].
#[derive(Debug, Clone)]
pub struct Publication {
    /// The staged scopes to publish. Each of these scopes must be empty: no published data may be stored under its
    /// name.
    pub scopes: Vec<Scope>,
    /// The store's new mark; `None` leaves the log id and the feed unchanged. Only a store without any other scope may
    /// take over the log id of another store. A new id invalidates every cursor of the store: reading with one gives
    /// `REPLAY_MISS`.
    pub mark: Option<StoreMark>,
    /// A batch committed to [`Scope::system`] in the same transaction.
    pub batch: Batch,
}

/// Export and restoration of whole scopes. A [`super::super::Store`] that supports it returns it from
/// [`super::super::Store::archive`].
///
/// Restoring is trusted work: the store assumes that the dataset events are scrubbed. They come from a snapshot, or the
/// service that reads an archive scrubs them with [`crate::event::scrub_archived`]. Services check the caller's
/// permission.
#[async_trait]
pub trait Archive: Send + Sync {
    /// Returns the log id and the position of the feed.
    ///
    /// # Errors
    /// `BACKEND_UNAVAILABLE` when the backend does not answer; this holds for all reads.
    async fn mark(&self) -> Result<StoreMark>;

    /// Takes a consistent cut of a scope's current state. An empty scope has counters of zero and no other record.
    ///
    /// # Errors
    /// As [`Archive::mark`].
    async fn snapshot(&self, scope: &Scope) -> Result<Box<dyn ScopeSnapshot>>;

    /// Stages records after those staged before, and stores `progress` with them in one durable step, so that the
    /// caller can continue after a crash. Records of one section must come in the order of [`Section`]; sections may
    /// come in any order, but a stream before its events. Staged records are visible only through
    /// [`Archive::staged_snapshot`].
    ///
    /// Versions, times, ids and sequence numbers are kept as given. An event with a position is put into the feed at
    /// that position when the scope is published; one without a position is never delivered to sinks.
    ///
    /// # Errors
    /// [`CommitError::Refused`] for records that are out of order, repeated, or beyond the backend's limits: discard
    /// the staged records and start again. [`CommitError::Backend`].
    async fn stage(&self, scope: &Scope, records: Vec<ArchiveRecord>, progress: &str) -> Result<(), CommitError>;

    /// The scopes that are staged and not yet published.
    ///
    /// # Errors
    /// As [`Archive::mark`].
    async fn staged(&self) -> Result<Vec<StagedScope>>;

    /// Takes a consistent cut of the records that are staged for a scope.
    ///
    /// # Errors
    /// As [`Archive::mark`].
    async fn staged_snapshot(&self, scope: &Scope) -> Result<Box<dyn ScopeSnapshot>>;

    /// Makes staged scopes visible, all in one transaction with `publication.batch`.
    ///
    /// # Errors
    /// [`CommitError::Refused`] with `ALREADY_EXISTS` when data is stored under the name of a scope, and with
    /// `NOT_FOUND` when a scope is not staged or has a stream whose last event is not its head; otherwise as
    /// [`super::super::Store::commit`] for the batch.
    async fn publish(&self, publication: Publication) -> Result<CommitReceipt, CommitError>;

    /// Removes some of the records that are staged for a scope; returns whether more are left. Discarding a scope that
    /// is not staged does nothing.
    ///
    /// # Errors
    /// [`CommitError::Backend`].
    async fn discard(&self, scope: &Scope) -> Result<bool, CommitError>;

    /// Removes all records that are staged for a scope.
    ///
    /// # Errors
    /// [`CommitError::Backend`]; some of the records may then be left.
    async fn discard_staged(&self, scope: &Scope) -> Result<(), CommitError> {
        while self.discard(scope).await? {}
        Ok(())
    }
}
