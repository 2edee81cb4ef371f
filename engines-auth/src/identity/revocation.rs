//! Telling those who hold streams open that somebody's right to them has ended.

use std::time::Duration;

use engines_core::{Error, ErrorKind, RequestContext, TenantId, UserId};
use tokio::sync::broadcast::{self, error::RecvError};

use super::service::{Identity, Inner};

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
    /// Some revocations were lost because the subscriber was slow: look at everybody.
    Missed,
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
            Self::Missed => true,
        }
    }
}

/// The feed of revocations made by this process; those of other nodes show in [`Identity::still_valid`].
#[derive(Debug, Clone)]
pub struct Revocations(broadcast::Sender<Revocation>);

/// Revocations as they come, from the moment of the subscription.
#[derive(Debug)]
pub struct RevocationFeed(broadcast::Receiver<Revocation>);

impl Revocations {
    pub(crate) fn new(queue: usize) -> Self {
        Self(broadcast::channel(queue.max(1)).0)
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
            Err(RecvError::Lagged(_)) => Revocation::Missed,
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

impl Inner {
    /// Has what the caches say of it forgotten, here and now, and tells whoever listens.
    pub(crate) fn revoked(&self, revocation: Revocation) {
        match &revocation {
            Revocation::User(user) => self.known.users.forget(user),
            Revocation::Tenant(tenant) => self.known.tenants.forget(tenant),
            Revocation::Member(tenant, user) => self.known.members.forget(&(tenant.clone(), user.clone())),
            Revocation::Session(session) => {
                if let Ok(session) = session.parse() {
                    self.known.sessions.forget(&session);
                }
            }
            Revocation::ApiKey(key) => {
                if let Ok(key) = key.parse() {
                    self.known.api_keys.forget(&key);
                }
            }
            Revocation::Missed => {}
        }
        // Without subscribers it goes nowhere.
        let _ = self.revocations.0.send(revocation);
    }
}

impl Identity {
    /// The feed of revocations.
    #[must_use]
    pub fn revocations(&self) -> &Revocations {
        &self.inner.revocations
    }

    /// Waits until the context is no longer good, and says why: the error of [`Identity::still_valid`]. At once for a revocation by
    /// this process, within 5 seconds for another node's. While the store does not answer, nobody is sent away for 5 seconds less the time
    /// between two looks; then it is `BACKEND_UNAVAILABLE`. Cancel-safe; run it beside the stream. Needs a tokio runtime with time.
    pub async fn until_revoked(&self, context: &RequestContext) -> Error {
        let settings = &self.inner.settings;
        let every = Duration::from_millis(settings.watch_every_ms);
        let patience = super::IdentitySettings::MAX_FACTS_TTL.saturating_sub(settings.facts_ttl() + every);
        let mut feed = self.inner.revocations.subscribe();
        let mut silent = Duration::ZERO;
        loop {
            match self.still_valid(context).await {
                Ok(()) => silent = Duration::ZERO,
                Err(error) if error.kind() == ErrorKind::Unavailable && silent < patience => silent += every,
                Err(error) => return error,
            }
            let told = async { while !feed.next().await.concerns(context) {} };
            // Either way it is time to look again.
            let _ = tokio::time::timeout(every, told).await;
        }
    }
}
