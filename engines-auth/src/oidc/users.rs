//! The trait that stores the users of other issuers.

use std::{collections::BTreeMap, fmt};

use async_trait::async_trait;
use engines_core::{Result, Role, TenantId, UserId};

/// An identity from a verified token of another issuer.
#[derive(Clone, Copy)]
pub struct ExternalIdentity<'a> {
    /// The issuer (`iss`).
    pub issuer: &'a str,
    /// The id of the user, unique within the issuer (`sub`).
    pub sub: &'a UserId,
    /// The e-mail address in the token. Verified or not, it must never lead to an account that someone else created:
    /// only `issuer` and `sub` identify the user.
    pub email: Option<&'a str>,
    /// Whether the issuer says that the address was verified.
    pub email_verified: bool,
    /// The memberships from the issuer's rules.
    pub mapped: &'a BTreeMap<TenantId, Role>,
}

impl fmt::Debug for ExternalIdentity<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExternalIdentity").field("issuer", &self.issuer).field("sub", &self.sub).finish_non_exhaustive()
    }
}

/// The local user of an external identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalUser {
    /// The local id of the user.
    pub id: UserId,
    /// The memberships of the user, in addition to those from the issuer's rules.
    pub memberships: BTreeMap<TenantId, Role>,
    /// The tenant of requests that name none.
    pub default_tenant: Option<TenantId>,
}

/// Stores the users of other issuers, and creates them at their first token.
///
/// It is called for every verified token of a person, so it must be fast for a known user. Concurrent calls for a new
/// user must create one user and one tenant.
#[async_trait]
pub trait ExternalUsers: Send + Sync + fmt::Debug {
    /// Returns the user of this identity.
    ///
    /// # Errors
    /// `TOKEN_INVALID` for a disabled user; `BACKEND_UNAVAILABLE` when the user cannot be read.
    async fn user(&self, identity: &ExternalIdentity<'_>) -> Result<ExternalUser>;
}
