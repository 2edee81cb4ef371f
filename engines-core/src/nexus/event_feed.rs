//! Delivery of scrubbed events to destinations outside the store: at least once, from the store's outbox.

use async_trait::async_trait;

use crate::{
    error::{Error, Result},
    event::{CleanEvent, StoredEvent},
    scope::Scope,
};

/// A destination for scrubbed events, such as BigQuery or a file. Implement it to send events to a system of your own.
///
/// The outbox calls [`EventSink::write`] with events of one scope in order. It repeats the call after an error, and may
/// repeat it after a crash: use `event_id` to recognise events that were written before.
#[async_trait]
pub trait EventSink: Send + Sync + std::fmt::Debug {
    /// The sink's name: lower-case letters, digits and `_`. The outbox stores its position under this name, so it must
    /// never change.
    fn name(&self) -> &str;

    /// Writes all events of `batch`.
    ///
    /// # Errors
    /// [`SinkError::Retry`] to get the same batch again after a wait; [`SinkError::Rejected`] for events that can never
    /// be written. The outbox counts rejected events and continues after them.
    async fn write(&self, scope: &Scope, batch: &[CleanEvent]) -> Result<(), SinkError>;
}

/// Why a sink did not write a batch.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SinkError {
    /// The destination is down or busy. The outbox sends the same batch again.
    #[error("the sink is not ready: {0}")]
    Retry(#[source] Error),
    /// The destination will never accept these events (indexes into the batch). All other events of the batch were
    /// written.
    #[error("the sink refuses {} events: {source}", indexes.len())]
    Rejected {
        /// The indexes of the rejected events in the batch.
        indexes: Vec<usize>,
        /// The reason for the rejection.
        source: Error,
    },
}

/// An event of the outbox.
#[derive(Debug, Clone)]
pub struct FeedItem {
    /// The event's position among the events of all scopes. Positions rise and may have gaps.
    pub position: u64,
    /// The scope the event belongs to.
    pub scope: Scope,
    /// The stored event.
    pub event: StoredEvent,
}

/// The outbox side of a backend: the recorded events of all scopes, in commit order. It is the only interface that
/// reads across scopes, and only the deployment's background tasks hold it.
#[async_trait]
pub trait EventFeed: Send + Sync {
    /// Returns up to `limit` events after `position` (0 for the first). The list is empty once all events have been
    /// read.
    ///
    /// # Errors
    /// `BACKEND_UNAVAILABLE` when the backend does not answer.
    async fn after(&self, position: u64, limit: usize) -> Result<Vec<FeedItem>>;

    /// Returns up to `limit` scopes after `after` that hold data, ordered by tenant, then environment, in byte order of
    /// their names. Staged scopes are not listed. It is for background tasks that go over all tenants, such as
    /// retention.
    ///
    /// # Errors
    /// `INTERNAL` when the backend cannot list scopes; a backend that declares [`super::Capabilities::removes`] can.
    /// `BACKEND_UNAVAILABLE` when it does not answer.
    async fn scopes(&self, after: Option<&Scope>, limit: usize) -> Result<Vec<Scope>> {
        let _ = (after, limit);
        Err(Error::internal("store.scopes", "this backend cannot list scopes"))
    }
}
