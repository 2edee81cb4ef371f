//! The interface of a rate limiter, which a [`Guard`](super::Guard) asks before each call.

use std::time::Duration;

use crate::{
    access::RateClass,
    context::{ContextOrigin, Principal, RequestContext},
    error::Result,
    id::{TenantId, UserId},
};

/// The subject whose requests a rate limiter counts.
#[derive(Debug, Clone, Copy)]
pub struct RateSubject<'a> {
    /// The user or API key that acts.
    pub actor: &'a UserId,
    /// The issuer of its credential.
    pub issuer: &'a str,
    /// The tenant it acts in; `None` for requests about the caller's own account.
    pub tenant: Option<&'a TenantId>,
}

impl<'a> RateSubject<'a> {
    /// The subject of a request in a tenant; `None` for trusted work in process, which is not limited.
    #[must_use]
    pub fn of_context(context: &'a RequestContext) -> Option<Self> {
        match context.origin() {
            ContextOrigin::Credential { issuer } => {
                Some(Self { actor: &context.actor().id, issuer, tenant: Some(context.scope().tenant()) })
            }
            ContextOrigin::System { .. } => None,
        }
    }

    /// The subject of a request about the caller's own account.
    #[must_use]
    pub fn of_principal(principal: &'a Principal) -> Self {
        Self { actor: &principal.actor.id, issuer: &principal.issuer, tenant: None }
    }
}

/// The state of a limit. If several limits apply, it is that of the one with the fewest requests left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateStatus {
    /// Requests allowed at once after a pause.
    pub limit: u32,
    /// Requests allowed now.
    pub remaining: u32,
    /// Time until `remaining` equals `limit` again if nothing is requested.
    pub reset: Duration,
}

/// Limits the requests of a subject in a rate class. It is called for every request and must be fast.
pub trait RateLimit: Send + Sync + std::fmt::Debug {
    /// Counts one request.
    ///
    /// # Errors
    /// `RATE_LIMITED` with [`Error::retry_after`](crate::Error::retry_after) and the member `limit`; such a request is
    /// not counted.
    fn check(&self, subject: &RateSubject<'_>, class: RateClass) -> Result<()>;

    /// The state of the limit, without counting a request; `None` where no limit applies.
    fn status(&self, subject: &RateSubject<'_>, class: RateClass) -> Option<RateStatus>;
}
