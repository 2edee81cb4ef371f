//! The trait that decides on memberships.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use engines_core::{Principal, Result, Role, TenantId};

use crate::revocation::RevocationFeed;

/// Knows the tenants and members of a deployment beyond what a credential claims: revoked memberships, changed roles,
/// disabled users and tenants. Without a directory, admission uses the verified claims.
#[async_trait]
pub trait Directory: Send + Sync + fmt::Debug {
    /// Checks whether the principal may still make requests, in any tenant. Called for every request, also those
    /// without a tenant.
    ///
    /// # Errors
    /// `TOKEN_INVALID` for a disabled user, a revoked session or credential. Any other error refuses the request as
    /// well.
    async fn check(&self, principal: &Principal) -> Result<()> {
        let _ = principal;
        Ok(())
    }

    /// Returns the role that applies now. `claimed` is the role that the credential claims. For users and tenants that
    /// the directory does not know, return `claimed`, or `None` to refuse them (`tenants_must_exist`).
    ///
    /// # Errors
    /// `TOKEN_INVALID` for a disabled user or a revoked credential. Any other error refuses the request as well.
    async fn role(&self, principal: &Principal, tenant: &TenantId, claimed: Option<Role>) -> Result<Option<Role>>;

    /// Returns the tenant of a request that names none. With `None`, the request must name it.
    ///
    /// # Errors
    /// Any error refuses the request.
    async fn default_tenant(&self, principal: &Principal) -> Result<Option<TenantId>> {
        Ok(principal.default_tenant.clone())
    }

    /// Returns a feed of the revocations made by this process, so that open streams end at once. `None` if there is no
    /// such feed.
    fn revocations(&self) -> Option<RevocationFeed> {
        None
    }

    /// Returns the interval at which open streams are checked again.
    fn recheck_every(&self) -> Duration {
        Duration::from_secs(1)
    }

    /// Returns how old the answers may be. Together with [`Directory::recheck_every`] this must be at most 5 s, the
    /// bound for revocations.
    fn staleness(&self) -> Duration {
        Duration::ZERO
    }
}
