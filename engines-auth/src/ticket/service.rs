//! Making tickets.

use std::{fmt, time::Duration};

use engines_core::{Action, Batch, Bound, Error, RequestContext, Result, Timestamp, context::Origin, nexus::Expect};
use serde::{Deserialize, Serialize};

use crate::{
    identity::{
        Identity, TicketBody,
        opaque::Opaque,
        records::{self, TICKET},
    },
    secret::SecretText,
};

const CREATE: &str = "tickets.create";

pub(super) const TOKEN: Opaque = Opaque("tk");

/// The longest a ticket is good.
pub const MAX_TTL: Duration = Duration::from_secs(60);

/// The longest path a ticket may be for, in bytes.
const MAX_PATH: usize = 1024;

/// `POST /auth/tickets`.
#[derive(Debug, Deserialize)]
pub struct TicketRequest {
    /// The path it is for, without a query.
    pub path: String,
    /// Seconds it is good, 1 to 60. Default: 30.
    #[serde(default)]
    pub ttl_s: Option<u64>,
}

/// A ticket just made: it is shown this once.
#[derive(Debug, Serialize)]
pub struct TicketResponse {
    /// What to send as `?ticket=`.
    pub ticket: SecretText,
    /// Seconds it is good.
    pub expires_in: u64,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Tickets, kept in the store so that any node takes them. Cheap to clone; also the [`Authenticator`](crate::Authenticator) for them.
#[derive(Clone)]
pub struct Tickets {
    pub(super) identity: Identity,
}

impl Tickets {
    pub(crate) fn new(identity: Identity) -> Self {
        Self { identity }
    }

    /// Makes a ticket: good once, for this path, in the context's tenant and environment, for its actor. What is opened with it ends with the
    /// credential the ticket was made with.
    ///
    /// # Errors
    /// `BODY_INVALID` for a path that is none and a time out of its limits; `ROLE_INSUFFICIENT` never, for a member.
    pub async fn create(&self, context: &RequestContext, request: TicketRequest) -> Result<TicketResponse> {
        let inner = &*self.identity.inner;
        let permit = inner.guard.admit(context, Action::TicketsCreate, "tickets").await?;
        let path = &request.path;
        let fits = path.starts_with('/')
            && path.len() <= MAX_PATH
            && path.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#'));
        if !fits {
            let detail = "a path begins with / and has at most 1,024 visible ASCII characters, without a query";
            return Err(Error::body(CREATE, "/path", detail));
        }
        let expires_in = request.ttl_s.unwrap_or(30);
        if expires_in == 0 || Duration::from_secs(expires_in) > MAX_TTL {
            return Err(Error::body(CREATE, "/ttl_s", "a ticket is good for 1 to 60 seconds"));
        }
        let Origin::Credential { issuer } = context.origin() else {
            return Err(Error::body(CREATE, "/path", "work in process needs no ticket"));
        };
        let now = inner.now();
        let id = inner.guard.ids().ulid(now);
        let (ticket, hash) = TOKEN.mint(id, inner.guard.ids());
        let ends = now.plus(Duration::from_secs(expires_in));
        let expires_at = context.expires_at().map_or(ends, |end| ends.min(end));
        let body = TicketBody {
            hash,
            bound: Bound { tenant: context.scope().tenant().clone(), env: Some(context.scope().env()) },
            path: request.path,
            expires_at,
            user_id: context.actor().id.clone(),
            actor_type: context.actor().kind,
            role: context.role(),
            issuer: issuer.clone(),
            credential_id: context.credential_id().map(Into::into),
            session: context.session().map(Into::into),
            issued_at: context.issued_at(),
            until: context.expires_at(),
        };
        let batch = Batch::spanning(now).audit(permit.audit(&inner.guard, context, format!("tickets/{id}")));
        let batch = records::put(batch, TICKET, id, &[], &body, Expect::Absent)?;
        inner.records.commit(context.scope(), batch).await?;
        Ok(TicketResponse { ticket, expires_in, expires_at })
    }
}

impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tickets")
    }
}
