//! The last word on a membership, where somebody keeps one.

use std::fmt;

use async_trait::async_trait;
use engines_core::{Principal, Result, Role, TenantId};

/// What a deployment knows of tenants and members beyond what a credential claims: a revoked membership, a changed role,
/// a disabled user or tenant. Without one, the door believes the verified claims.
#[async_trait]
pub trait Directory: Send + Sync + fmt::Debug {
    /// The role that counts now. `claimed` is the credential's own; return it for users and tenants unknown here, or `None`
    /// to refuse them (`tenants_must_exist`).
    ///
    /// # Errors
    /// `TOKEN_INVALID` for a disabled user or a revoked credential; any other failure keeps the request out as well.
    async fn role(&self, principal: &Principal, tenant: &TenantId, claimed: Option<Role>) -> Result<Option<Role>>;
}
