//! What this process has revoked: forgotten by the caches, and told.

use super::service::{Identity, Inner};
use crate::revocation::{Revocation, Revocations};

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
            Revocation::Ticket(ticket) => {
                if let Ok(ticket) = ticket.parse() {
                    self.known.tickets.forget(&ticket);
                }
            }
            Revocation::Missed => {}
        }
        self.revocations.send(revocation);
    }
}

impl Identity {
    /// The feed of revocations made by this process.
    #[must_use]
    pub fn revocations(&self) -> &Revocations {
        &self.inner.revocations
    }
}
