//! The contract of backends that can be archived.

use async_trait::async_trait;

use super::{ArchiveRecord, Section};
use crate::{
    error::Result,
    nexus::{Batch, CommitError, CommitReceipt, Page, PageRequest},
    scope::Scope,
    stream::LogId,
};

/// What a store has besides its scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreMark {
    /// The id of its log, which cursors hold.
    pub log_id: LogId,
    /// The highest position its event feed has ever given.
    pub feed_position: u64,
}

/// A consistent cut of one scope: what was committed at one moment, whatever is written later.
///
/// A backend may bound how long it keeps a snapshot, because it can hold up the reclaiming of space. A page after that fails with
/// `BACKEND_UNAVAILABLE`.
#[async_trait]
pub trait ScopeSnapshot: Send + Sync + std::fmt::Debug {
    /// Records of a section, in the order [`Section`] states. A page may be short, even empty, while its `next` says that there is more. A token is
    /// good in any later snapshot of the same scope, where it continues after the same record.
    ///
    /// # Errors
    /// `CURSOR_INVALID` for a malformed token; `BACKEND_UNAVAILABLE` when the backend does not answer or the snapshot has ended.
    async fn records(&self, section: Section, page: PageRequest) -> Result<Page<ArchiveRecord>>;
}

/// A scope that is being restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagedScope {
    /// The scope.
    pub scope: Scope,
    /// The text of the last [`Archive::stage`].
    pub progress: String,
}

/// What [`Archive::publish`] makes visible.
#[derive(Debug, Clone)]
pub struct Publication {
    /// Staged scopes. Each must be empty where readers look: nothing may be stored under its name.
    pub scopes: Vec<Scope>,
    /// The store's new mark; none leaves log id and feed as they are. Only a store without any other scope takes the log id of another
    /// store. A new id makes every cursor of the store lead to `REPLAY_MISS`.
    pub mark: Option<StoreMark>,
    /// Committed to [`Scope::system`] in the same transaction.
    pub batch: Batch,
}

/// The side of a backend through which whole scopes are taken out and put back. A [`super::super::Store`] that has it returns it from
/// [`super::super::Store::archive`].
///
/// Restoring is trusted work: records come from a snapshot, or from an archive that an operator vouches for, so dataset events in them are taken as
/// scrubbed. Services check who may do it.
#[async_trait]
pub trait Archive: Send + Sync {
    /// The id of the log and the position of the feed.
    ///
    /// # Errors
    /// `BACKEND_UNAVAILABLE` when the backend does not answer; so for all reads.
    async fn mark(&self) -> Result<StoreMark>;

    /// Every scope in which something was ever stored, by tenant and environment. Staged scopes are not among them.
    ///
    /// # Errors
    /// `CURSOR_INVALID` for a malformed token; else as [`Archive::mark`].
    async fn scopes(&self, page: PageRequest) -> Result<Page<Scope>>;

    /// A consistent cut of a scope as it is now. A scope without anything has counters of zero and no other record.
    ///
    /// # Errors
    /// As [`Archive::mark`].
    async fn snapshot(&self, scope: &Scope) -> Result<Box<dyn ScopeSnapshot>>;

    /// Stages records behind those staged before, and keeps `progress` with them in one durable step, so that whoever restores can go on after a
    /// crash. Records of one section must come in the order of [`Section`]; sections may come in any order, but a stream before its events.
    /// Nothing of it is visible outside of [`Archive::staged_snapshot`].
    ///
    /// Versions, times, ids and places are kept as given. An event with a position is put into the feed at that position when the scope is
    /// published; one without is never delivered to sinks.
    ///
    /// # Errors
    /// [`CommitError::Refused`] for records out of order, twice, or beyond the backend's limits: discard what is staged then, and begin again.
    /// [`CommitError::Backend`].
    async fn stage(&self, scope: &Scope, records: Vec<ArchiveRecord>, progress: &str) -> Result<(), CommitError>;

    /// The scopes that are staged and not yet published.
    ///
    /// # Errors
    /// As [`Archive::mark`].
    async fn staged(&self) -> Result<Vec<StagedScope>>;

    /// A consistent cut of what is staged for a scope.
    ///
    /// # Errors
    /// As [`Archive::mark`].
    async fn staged_snapshot(&self, scope: &Scope) -> Result<Box<dyn ScopeSnapshot>>;

    /// Makes staged scopes visible, all in one transaction with `publication.batch`.
    ///
    /// # Errors
    /// [`CommitError::Refused`] with `ALREADY_EXISTS` when something is stored under the name of one, with `NOT_FOUND` when one is not staged or has a
    /// stream whose last event is not its head; else as [`super::super::Store::commit`] for the batch.
    async fn publish(&self, publication: Publication) -> Result<CommitReceipt, CommitError>;

    /// Removes some of what is staged for a scope; returns whether there is more to remove. Discarding what is not staged does nothing.
    ///
    /// # Errors
    /// [`CommitError::Backend`].
    async fn discard(&self, scope: &Scope) -> Result<bool, CommitError>;
}
