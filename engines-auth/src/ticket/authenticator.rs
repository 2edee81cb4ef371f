//! From a ticket to a principal, once.

use std::sync::Arc;

use async_trait::async_trait;
use engines_core::{
    Actor, Batch, Code, DocId, Error, Principal, Result,
    nexus::{CommitError, Expect},
};

use super::service::{TOKEN, Tickets};
use crate::{
    authenticator::{Authenticator, Credential},
    identity::{TicketBody, records::TICKET},
    jwt::invalid,
};

#[async_trait]
impl Authenticator for Tickets {
    /// Takes tickets. One is used up by letting somebody in, on whichever node; a wrong path lets nobody in, and leaves it.
    async fn authenticate(&self, credential: &Credential<'_>) -> Result<Option<Arc<Principal>>> {
        let Credential::Ticket { ticket, path } = credential else { return Ok(None) };
        if !TOKEN.is_prefix_of(ticket) {
            return Ok(None);
        }
        let wrong = || invalid("the ticket is unknown, was used, or is for another path; get a new one");
        let id = DocId::from(TOKEN.id(ticket).ok_or_else(wrong)?);
        let inner = &*self.identity.inner;
        let found = inner.records.get::<TicketBody>(&TICKET, &id).await?.ok_or_else(wrong)?;
        let body = found.body;
        if !body.hash.fits(ticket) || body.path != *path {
            return Err(wrong());
        }
        let now = inner.now();
        if now >= body.expires_at {
            return Err(Error::new(Code::TokenExpired, "auth.ticket", "the ticket has expired; get a new one"));
        }
        // Of all who present it, on all nodes, one finds it as it was.
        let used = Batch::spanning(now).delete_system(TICKET, found.id, Expect::Version(found.version));
        inner.records.commit(inner.records.system(), used).await.map_err(|error| match error {
            CommitError::Precondition { .. } => wrong(),
            other => other.into(),
        })?;
        let mut principal = Principal::new(Actor { id: body.user_id, kind: body.actor_type }, body.issuer);
        principal.memberships.insert(body.bound.tenant.clone(), body.role);
        principal.default_tenant = Some(body.bound.tenant.clone());
        principal.bound = Some(body.bound);
        principal.issued_at = body.issued_at;
        principal.expires_at = body.until;
        principal.credential_id = body.credential_id;
        principal.session = body.session;
        Ok(Some(Arc::new(principal)))
    }
}
