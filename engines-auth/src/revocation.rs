//! Revocations by a directory, and the feed that tells the holders of open streams.

use engines_core::{RequestContext, TenantId, UserId};
use tokio::sync::broadcast::{self, error::RecvError};

/// A revocation: something has ended, or has changed so that open streams must be checked again.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Revocation {
    /// A user was disabled or changed.
    User(UserId),
    /// A tenant was closed or changed.
    Tenant(TenantId),
    /// A membership has ended, or its role has changed.
    Member(TenantId, UserId),
    /// A session has ended.
    Session(String),
    /// An API key was revoked or rotated.
    ApiKey(String),
    /// A ticket was ended.
    Ticket(String),
    /// The subscriber was too slow and has missed revocations. All open streams must be checked.
    Lagged,
}

impl Revocation {
    /// Returns whether the revocation may affect this context.
    #[must_use]
    pub fn concerns(&self, context: &RequestContext) -> bool {
        match self {
            Self::User(user) => *user == context.actor().id,
            Self::Tenant(tenant) => tenant == context.scope().tenant(),
            Self::Member(tenant, user) => tenant == context.scope().tenant() && *user == context.actor().id,
            Self::Session(session) => context.session() == Some(session),
            Self::ApiKey(key) => context.credential_id() == Some(key),
            Self::Ticket(ticket) => context.ticket() == Some(ticket),
            Self::Lagged => true,
        }
    }
}

/// The feed to which a directory publishes the revocations of this process. Revocations on other nodes are found by
/// asking the directory. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Revocations(broadcast::Sender<Revocation>);

/// A subscription: revocations from the time of the subscription on.
#[derive(Debug)]
pub struct RevocationFeed(broadcast::Receiver<Revocation>);

impl Revocations {
    /// Creates a feed that keeps `queue` revocations for a slow subscriber.
    #[must_use]
    pub fn new(queue: usize) -> Self {
        Self(broadcast::channel(queue.max(1)).0)
    }

    /// Sends a revocation to all subscribers.
    pub fn send(&self, revocation: Revocation) {
        // An error means that there are no subscribers.
        let _ = self.0.send(revocation);
    }

    /// Subscribes to the revocations from now on.
    #[must_use]
    pub fn subscribe(&self) -> RevocationFeed {
        RevocationFeed(self.0.subscribe())
    }
}

impl RevocationFeed {
    /// Waits for the next revocation. It never completes once the feed is dropped. Cancel-safe.
    pub async fn next(&mut self) -> Revocation {
        match self.0.recv().await {
            Ok(revocation) => revocation,
            Err(RecvError::Lagged(_)) => Revocation::Lagged,
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}
