//! Authentication by ticket.

use std::sync::Arc;

use async_trait::async_trait;
use engines_core::{
    Actor, Batch, Code, DocId, Error, Principal, Result,
    nexus::{CommitError, Expect},
};

use super::{
    service::{REUSABLE, SINGLE_USE, Tickets},
    target::parse_streams,
};
use crate::{
    authenticator::{Authenticator, Credential},
    directory::Directory,
    identity::{documents::TicketBody, records::TICKET},
    jwt::invalid_token,
};

/// A ticket as it was presented.
struct PresentedTicket<'a> {
    ticket: &'a str,
    path: &'a str,
    streams: Option<&'a str>,
}

impl PresentedTicket<'_> {
    /// Returns whether this is the granted ticket, presented for its path and streams.
    fn matches(&self, grant: &TicketBody) -> bool {
        let same_streams = match (self.streams, &grant.streams) {
            (None, None) => true,
            (Some(list), Some(streams)) => parse_streams(list).as_ref() == Some(streams),
            _ => false,
        };
        grant.hash.matches(self.ticket) && grant.path == self.path && same_streams
    }
}

#[async_trait]
impl Authenticator for Tickets {
    /// Takes tickets. A single-use ticket is consumed by a successful authentication, on any node. A request with a
    /// wrong path is refused and does not consume it, and neither does a `HEAD` request. A reusable ticket is renewed.
    async fn authenticate(&self, credential: &Credential<'_>) -> Result<Option<Arc<Principal>>> {
        let Credential::Ticket { ticket, path, streams, head } = *credential else { return Ok(None) };
        let presented = PresentedTicket { ticket, path, streams };
        let wrong = || invalid_token("the ticket is unknown, was used, or is for another path; get a new one");
        if REUSABLE.is_prefix_of(ticket) {
            let id = REUSABLE.id(ticket).ok_or_else(wrong)?;
            let state = &*self.identity.state;
            let body = state.use_stream_ticket(id, !head, |body| presented.matches(&body.grant)).await?;
            let mut principal = principal(body.grant);
            principal.ticket = Some(id.to_string().into());
            // The ticket may outlive the access token that it was created with, so its session is checked here,
            // whichever directory admission has.
            Directory::check(&self.identity, &principal).await?;
            return Ok(Some(Arc::new(principal)));
        }
        if !SINGLE_USE.is_prefix_of(ticket) {
            return Ok(None);
        }
        self.consume(&presented, head).await.map(|grant| Some(Arc::new(principal(grant))))
    }
}

impl Tickets {
    /// Consumes a single-use ticket. A `HEAD` request only reads it.
    async fn consume(&self, presented_ticket: &PresentedTicket<'_>, head: bool) -> Result<TicketBody> {
        let wrong = || invalid_token("the ticket is unknown, was used, or is for another path; get a new one");
        let id = DocId::from(SINGLE_USE.id(presented_ticket.ticket).ok_or_else(wrong)?);
        let state = &*self.identity.state;
        let found = state.records.get::<TicketBody>(&TICKET, &id).await?.ok_or_else(wrong)?;
        if !presented_ticket.matches(&found.body) {
            return Err(wrong());
        }
        let now = state.now();
        if now >= found.body.expires_at {
            return Err(Error::new(Code::TokenExpired, "auth.ticket", "the ticket has expired; get a new one"));
        }
        if head {
            return Ok(found.body);
        }
        // Of all requests that present it, on all nodes, only one commits with the version that was read.
        let used = Batch::spanning(now).delete_system(TICKET, found.id, Expect::Version(found.version));
        state.records.commit(state.records.system(), used).await.map_err(|error| match error {
            CommitError::Precondition { .. } => wrong(),
            other => other.into(),
        })?;
        Ok(found.body)
    }
}

fn principal(grant: TicketBody) -> Principal {
    let mut principal = Principal::assume_verified(Actor { id: grant.user_id, kind: grant.actor_type }, grant.issuer);
    principal.memberships.insert(grant.bound.tenant.clone(), grant.role);
    principal.default_tenant = Some(grant.bound.tenant.clone());
    principal.restriction = Some(grant.bound);
    principal.issued_at = grant.issued_at;
    principal.expires_at = grant.until;
    principal.credential_id = grant.credential_id;
    principal.session = grant.session;
    principal
}
