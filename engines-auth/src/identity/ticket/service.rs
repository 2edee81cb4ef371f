//! Creation and end of tickets.

use std::{fmt, time::Duration};

use engines_core::{
    Action, Batch, DocId, Error, RequestContext, Result, ScopeRestriction, context::ContextOrigin, nexus::Expect,
};
use ulid::Ulid;

use super::{
    documents::{STREAM_TICKET, StreamTicketBody, put_end},
    target::{MAX_PATH, TicketTarget},
    wire::{TicketRequest, TicketResponse, TicketReuse},
};
use crate::{
    identity::{
        documents::TicketBody,
        opaque_token::OpaqueTokenKind,
        quota::Quota,
        records::{self, TICKET},
        service::Identity,
    },
    revocation::Revocation,
};

pub(super) const CREATE: &str = "tickets.create";

/// The token kind of single-use tickets.
pub(super) const SINGLE_USE: OpaqueTokenKind = OpaqueTokenKind("tk");
/// The token kind of reusable tickets.
pub(super) const REUSABLE: OpaqueTokenKind = OpaqueTokenKind("ts");

/// The longest lifetime of a single-use ticket.
pub const MAX_TTL: Duration = Duration::from_secs(60);
/// The longest lifetime of a reusable ticket after a use.
pub const MAX_REUSE_TTL: Duration = Duration::from_secs(3600);

const DEFAULT_TTL_S: u64 = 30;
const DEFAULT_REUSE_TTL_S: u64 = 600;

/// The service for tickets. They are in the store, so that every node accepts them. It is also the
/// [`Authenticator`](crate::Authenticator) for tickets. Cheap to clone.
#[derive(Clone)]
pub struct Tickets {
    pub(super) identity: Identity,
}

impl Tickets {
    pub(in crate::identity) fn new(identity: Identity) -> Self {
        Self { identity }
    }

    /// Creates a ticket for a path, in the context's tenant and environment, for its actor. It is valid once, or until
    /// it was not used for its lifetime. Streams opened with it end with the credential that the ticket was created
    /// with. A reusable ticket created with an access token of a session lasts as long as the session. One created with
    /// another token ends with that token.
    ///
    /// # Errors
    /// `BODY_INVALID` for an invalid path and for a lifetime out of its limits; `RATE_LIMITED` when the actor has as
    /// many valid tickets as are allowed; `BACKEND_UNAVAILABLE` when other nodes keep creating tickets.
    pub async fn create(&self, context: &RequestContext, request: TicketRequest) -> Result<TicketResponse> {
        let state = &*self.identity.state;
        let permit = state.guard.admit(context, Action::TicketsCreate, "tickets").await?;
        let target = TicketTarget::parse(&request.path).ok_or_else(|| {
            let detail = format!(
                "a path begins with / and has at most {MAX_PATH} visible ASCII characters; its query may only name streams"
            );
            Error::invalid_body(CREATE, "/path", detail)
        })?;
        let ttl = ttl(&request)?;
        let ContextOrigin::Credential { issuer } = context.origin() else {
            return Err(Error::invalid_body(CREATE, "/path", "code in process needs no ticket"));
        };
        let turn = state.quota_turn(Quota::Tickets(&context.actor().id)).await?;
        let now = state.now();
        let until = match request.reuse {
            Some(TicketReuse::Stream) if self.is_of_session(context).await? => None,
            _ => context.expires_at(),
        };
        let id = state.guard.ids().ulid(now);
        let kind = if request.reuse.is_some() { REUSABLE } else { SINGLE_USE };
        let (ticket, hash) = kind.mint(id, state.guard.ids());
        let ends = now.plus(ttl);
        let expires_at = until.or(context.expires_at().filter(|_| request.reuse.is_none()));
        let expires_at = expires_at.map_or(ends, |end| ends.min(end));
        let grant = TicketBody {
            hash,
            bound: ScopeRestriction { tenant: context.scope().tenant().clone(), env: Some(context.scope().env()) },
            path: target.path,
            streams: target.streams,
            expires_at,
            user_id: context.actor().id.clone(),
            actor_type: context.actor().kind,
            role: context.role(),
            issuer: issuer.clone(),
            credential_id: context.credential_id().map(Into::into),
            session: context.session().map(Into::into),
            issued_at: context.issued_at(),
            until,
        };
        let batch = Batch::spanning(now).audit(permit.audit_entry(&state.guard, context, format!("tickets/{id}")));
        let batch = match request.reuse {
            None => {
                let tags = [records::user_tag(&context.actor().id)];
                records::put(batch, TICKET, id, &tags, &grant, Expect::Absent)?
            }
            Some(TicketReuse::Stream) => {
                let log = state.records.log_id().to_bytes();
                let body = StreamTicketBody { grant, ttl_s: ttl.as_secs(), log };
                put_end(body.put(batch, id, Expect::Absent)?, id, expires_at)?
            }
        };
        self.commit_within_quota(context, &turn, batch).await?;
        let expires_in = ttl.as_secs();
        Ok(TicketResponse { ticket, ticket_id: id.to_string(), expires_in, expires_at, reuse: request.reuse })
    }

    /// Ends a ticket of the caller, and the streams opened with it: at once on this node, within 5 s on other nodes.
    ///
    /// # Errors
    /// `NOT_FOUND` for a ticket of another user, of another tenant or environment, and for one that has ended or was
    /// used.
    pub async fn end(&self, context: &RequestContext, ticket_id: &str) -> Result<()> {
        const END: &str = "tickets.end";
        let state = &*self.identity.state;
        let permit = state.guard.admit_release(context, Action::TicketsEnd)?;
        let missing = || Error::not_found(END, "ticket");
        let id = Ulid::from_string(ticket_id).map_err(|_| missing())?;
        let (kind, found) = match state.records.get::<TicketBody>(&STREAM_TICKET, &DocId::from(id)).await? {
            Some(found) => (STREAM_TICKET, found),
            None => (TICKET, state.records.get(&TICKET, &DocId::from(id)).await?.ok_or_else(missing)?),
        };
        let TicketBody { user_id, bound, expires_at, .. } = &found.body;
        let own = *user_id == context.actor().id
            && bound.tenant == *context.scope().tenant()
            && bound.env == Some(context.scope().env());
        if !own || state.now() >= *expires_at {
            return Err(missing());
        }
        let batch =
            Batch::spanning(state.now()).audit(permit.audit_entry(&state.guard, context, format!("tickets/{id}")));
        state.records.commit(context.scope(), batch.delete_system(kind, found.id, Expect::Any)).await?;
        state.publish_revocation(Revocation::Ticket(id.to_string()));
        Ok(())
    }

    /// Returns whether the caller's credential is an access token of a session in the store, which the directory
    /// watches.
    async fn is_of_session(&self, context: &RequestContext) -> Result<bool> {
        let state = &*self.identity.state;
        let Some(session) = context.session().and_then(|session| Ulid::from_string(session).ok()) else {
            return Ok(false);
        };
        let found = state.cache.session(&state.records, session).await?;
        Ok(found.is_some_and(|found| found.user == context.actor().id))
    }
}

/// Returns the lifetime of the requested ticket.
fn ttl(request: &TicketRequest) -> Result<Duration> {
    let (default, most) = match request.reuse {
        Some(TicketReuse::Stream) => (DEFAULT_REUSE_TTL_S, MAX_REUSE_TTL),
        None => (DEFAULT_TTL_S, MAX_TTL),
    };
    let ttl = Duration::from_secs(request.ttl_s.unwrap_or(default));
    if ttl.is_zero() || ttl > most {
        let detail = match request.reuse {
            Some(TicketReuse::Stream) => "the lifetime of a reusable ticket is 1 to 3,600 seconds",
            None => "the lifetime of a single-use ticket is 1 to 60 seconds",
        };
        return Err(Error::invalid_body(CREATE, "/ttl_s", detail));
    }
    Ok(ttl)
}

impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tickets")
    }
}
