//! Keeping the users of other issuers.

use std::{collections::BTreeMap, fmt};

use async_trait::async_trait;
use engines_core::{Result, Role, TenantId, UserId};

/// Somebody a verified token of another issuer names.
#[derive(Clone, Copy)]
pub struct ExternalIdentity<'a> {
    /// Who vouches (`iss`).
    pub issuer: &'a str,
    /// Who, unique with that issuer (`sub`).
    pub sub: &'a UserId,
    /// The e-mail address the token names. Verified or not, it must never lead to an account that somebody else made: only `issuer` and
    /// `sub` say who it is.
    pub email: Option<&'a str>,
    /// Whether the issuer says that the address was verified.
    pub email_verified: bool,
    /// The memberships the issuer's rules give.
    pub mapped: &'a BTreeMap<TenantId, Role>,
}

impl fmt::Debug for ExternalIdentity<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExternalIdentity").field("issuer", &self.issuer).field("sub", &self.sub).finish_non_exhaustive()
    }
}

/// Who that is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalUser {
    /// The user's id here.
    pub id: UserId,
    /// What the user is a member of besides what the issuer's rules give.
    pub memberships: BTreeMap<TenantId, Role>,
    /// The tenant meant when a request names none.
    pub default_tenant: Option<TenantId>,
}

/// Knows the users of other issuers, and makes those it meets for the first time.
///
/// Called for every token of a person that has been verified, so it must be quick for somebody known; many calls for one stranger
/// at once must make one user and one tenant.
#[async_trait]
pub trait ExternalUsers: Send + Sync + fmt::Debug {
    /// The user of this identity.
    ///
    /// # Errors
    /// `TOKEN_INVALID` for a user who is disabled; `BACKEND_UNAVAILABLE` when it cannot be told.
    async fn user(&self, identity: &ExternalIdentity<'_>) -> Result<ExternalUser>;
}
