//! Publication of revocations: it removes cache entries and notifies open streams.

use super::{service::Identity, state::IdentityState};
use crate::revocation::{Revocation, Revocations};

impl IdentityState {
    /// Removes the entry from the caches of this process, and sends the revocation to all subscribers.
    pub(crate) fn publish_revocation(&self, revocation: Revocation) {
        match &revocation {
            Revocation::User(user) => self.cache.users.invalidate(user),
            Revocation::Tenant(tenant) => self.cache.tenants.invalidate(tenant),
            Revocation::Member(tenant, user) => self.cache.members.invalidate(&(tenant.clone(), user.clone())),
            Revocation::Session(session) => {
                if let Ok(session) = session.parse() {
                    self.cache.sessions.invalidate(&session);
                }
            }
            Revocation::ApiKey(key) => {
                if let Ok(key) = key.parse() {
                    self.cache.api_keys.invalidate(&key);
                }
            }
            Revocation::Ticket(ticket) => {
                if let Ok(ticket) = ticket.parse() {
                    self.cache.tickets.invalidate(&ticket);
                }
            }
            Revocation::Lagged => {}
        }
        self.revocations.send(revocation);
    }
}

impl Identity {
    /// Returns the feed of revocations made by this process.
    #[must_use]
    pub fn revocations(&self) -> &Revocations {
        &self.state.revocations
    }
}
