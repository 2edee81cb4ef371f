//! The last word on a membership, where somebody keeps one.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use engines_core::{Principal, Result, Role, TenantId};

use crate::revocation::RevocationFeed;

/// What a deployment knows of tenants and members beyond what a credential claims: a revoked membership, a changed role,
/// a disabled user or tenant. Without one, the door believes the verified claims.
#[async_trait]
pub trait Directory: Send + Sync + fmt::Debug {
    /// Whether the principal may still ask anything, in whatever tenant; asked for every request, also those without a tenant.
    ///
    /// # Errors
    /// `TOKEN_INVALID` for a disabled user, a revoked session or credential; any other failure keeps the request out as well.
    async fn check(&self, principal: &Principal) -> Result<()> {
        let _ = principal;
        Ok(())
    }

    /// The role that counts now. `claimed` is the credential's own; return it for users and tenants unknown here, or `None`
    /// to refuse them (`tenants_must_exist`).
    ///
    /// # Errors
    /// `TOKEN_INVALID` for a disabled user or a revoked credential; any other failure keeps the request out as well.
    async fn role(&self, principal: &Principal, tenant: &TenantId, claimed: Option<Role>) -> Result<Option<Role>>;

    /// The tenant that is meant when a request names none; without one the request must name it.
    ///
    /// # Errors
    /// Any failure keeps the request out.
    async fn default_tenant(&self, principal: &Principal) -> Result<Option<TenantId>> {
        Ok(principal.default_tenant.clone())
    }

    /// What it revokes in this process, as it happens, so that open streams end at once; nothing if it cannot tell.
    fn revocations(&self) -> Option<RevocationFeed> {
        None
    }

    /// How often open streams are looked at again.
    fn recheck_every(&self) -> Duration {
        Duration::from_secs(1)
    }

    /// How old what it says may be; with [`Directory::recheck_every`] at most 5 s, or revocations come too late.
    fn staleness(&self) -> Duration {
        Duration::ZERO
    }
}
