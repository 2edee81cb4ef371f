//! What a directory revokes, told to those who hold streams open.

use engines_core::{RequestContext, TenantId, UserId};
use tokio::sync::broadcast::{self, error::RecvError};

/// What has ended, or changed so that it must be looked at again.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Revocation {
    /// A user was disabled.
    User(UserId),
    /// A tenant was closed.
    Tenant(TenantId),
    /// A membership has ended, or its role has changed.
    Member(TenantId, UserId),
    /// A session was ended.
    Session(String),
    /// An API key was revoked.
    ApiKey(String),
    /// A reusable ticket was ended.
    Ticket(String),
    /// Some revocations were lost because the subscriber was slow: look at everybody.
    Lagged,
}

impl Revocation {
    /// Whether it may concern whoever holds this context.
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

/// Where a directory tells of what it revokes in this process; what other nodes revoke shows when it is asked. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Revocations(broadcast::Sender<Revocation>);

/// Revocations as they come, from the moment of the subscription.
#[derive(Debug)]
pub struct RevocationFeed(broadcast::Receiver<Revocation>);

impl Revocations {
    /// A feed that keeps `queue` revocations for a subscriber that is behind.
    #[must_use]
    pub fn new(queue: usize) -> Self {
        Self(broadcast::channel(queue.max(1)).0)
    }

    /// Tells all who have subscribed.
    pub fn send(&self, revocation: Revocation) {
        // Without subscribers it goes nowhere.
        let _ = self.0.send(revocation);
    }

    /// Subscribes.
    #[must_use]
    pub fn subscribe(&self) -> RevocationFeed {
        RevocationFeed(self.0.subscribe())
    }
}

impl RevocationFeed {
    /// The next one; never, once the service is gone. Cancel-safe.
    pub async fn next(&mut self) -> Revocation {
        match self.0.recv().await {
            Ok(revocation) => revocation,
            Err(RecvError::Lagged(_)) => Revocation::Lagged,
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}
