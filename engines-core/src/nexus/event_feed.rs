//! Where scrubbed events go besides the store: at least once, from the store's outbox.

use async_trait::async_trait;

use crate::{
    error::{Error, Result},
    event::{CleanEvent, StoredEvent},
    scope::Scope,
};

/// A destination for scrubbed events: BigQuery, a file, nothing. The most common backend of one's own: one method.
///
/// The outbox calls it with events of one scope in order, again after an error, and perhaps twice after a crash: use
/// `event_id` to recognise what came before.
#[async_trait]
pub trait EventSink: Send + Sync + std::fmt::Debug {
    /// Its name: the outbox keeps its place under it, so it must not change. Lower-case letters, digits and `_`.
    fn name(&self) -> &str;

    /// Writes all of `batch`, or fails and gets it again.
    ///
    /// # Errors
    /// [`SinkError::Retry`] to get the same batch again after a wait; [`SinkError::Rejected`] for events that can never be
    /// written, which are then counted and passed over.
    async fn write(&self, scope: &Scope, batch: &[CleanEvent]) -> Result<(), SinkError>;
}

/// Why a sink did not take a batch.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SinkError {
    /// It is down or busy: the same batch comes again.
    #[error("the sink is not ready: {0}")]
    Retry(#[source] Error),
    /// It will never take these events (indexes into the batch); all others were written.
    #[error("the sink refuses {} events: {source}", indexes.len())]
    Rejected {
        /// Which.
        indexes: Vec<usize>,
        /// Why.
        source: Error,
    },
}

/// An event of the outbox.
#[derive(Debug, Clone)]
pub struct FeedItem {
    /// Its place among all events of all scopes; rises, may have gaps.
    pub position: u64,
    /// Whose it is.
    pub scope: Scope,
    /// The event.
    pub event: StoredEvent,
}

/// The outbox side of a backend: every recorded event of every scope, in the order of commits. It alone reads
/// across scopes, and only workers of the deployment hold it.
#[async_trait]
pub trait EventFeed: Send + Sync {
    /// Up to `limit` events after `position` (0 for the first). None once all have been read.
    ///
    /// # Errors
    /// `BACKEND_UNAVAILABLE` when the backend does not answer.
    async fn after(&self, position: u64, limit: usize) -> Result<Vec<FeedItem>>;

    /// Up to `limit` scopes in which something is stored, after `after`, by tenant and then environment in byte order of their names. For work of
    /// the deployment that goes over all tenants, such as retention.
    ///
    /// # Errors
    /// `INTERNAL` when the backend cannot list them; one that promises [`super::Capabilities::removes`] can. `BACKEND_UNAVAILABLE` when it
    /// does not answer.
    async fn scopes(&self, after: Option<&Scope>, limit: usize) -> Result<Vec<Scope>> {
        let _ = (after, limit);
        Err(Error::internal("store.scopes", "this backend cannot list scopes"))
    }
}
