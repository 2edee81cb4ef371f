//! Requests and responses about tenants, their members and the bootstrap.

use std::fmt;

use engines_core::{Role, TenantId, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use crate::{identity::documents::TenantStatus, password::Password, secret::SecretText};

/// A tenant, as its members and the control plane see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TenantView {
    /// The id of the tenant.
    pub tenant_id: TenantId,
    /// The display name of the tenant.
    pub name: String,
    /// The status of the tenant.
    pub status: TenantStatus,
    /// The time at which the tenant is removed with all its data, if a removal is pending.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purge_at: Option<Timestamp>,
    /// The time at which the tenant was created.
    pub created_at: Timestamp,
}

/// A membership of the caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MembershipView {
    /// The id of the tenant.
    pub tenant_id: TenantId,
    /// The display name of the tenant. `None` for a tenant without a document.
    pub name: Option<String>,
    /// The role of the caller in the tenant.
    pub role: Role,
}

/// The body of `POST /tenants` and `PATCH /tenants/{t}`.
#[derive(Debug, Deserialize)]
pub struct TenantRequest {
    /// The display name, 1 to 200 characters.
    pub name: String,
}

/// The body of `POST /tenants/{t}/members`. Exactly one of `user_id` and `email` is given.
#[derive(Debug, Deserialize)]
pub struct MemberRequest {
    /// The id of the user to invite.
    #[serde(default)]
    pub user_id: Option<UserId>,
    /// The address to invite.
    #[serde(default)]
    pub email: Option<SecretText>,
    /// The role of the new member.
    pub role: Role,
}

/// The response of `POST /tenants/{t}/members`. It is the same for every invited user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Invited {
    /// The text `invited`.
    pub status: &'static str,
}

impl Default for Invited {
    fn default() -> Self {
        Self { status: "invited" }
    }
}

/// The body of `PATCH /tenants/{t}/members/{user_id}`.
#[derive(Debug, Deserialize)]
pub struct RoleRequest {
    /// The new role.
    pub role: Role,
}

/// A member, as seen by those who manage members.
#[derive(Clone, Serialize)]
pub struct MemberView {
    /// The id of the tenant.
    pub tenant_id: TenantId,
    /// The id of the user.
    pub user_id: UserId,
    /// The role of the member.
    pub role: Role,
    /// The display name of the user.
    pub display_name: Option<String>,
    /// The e-mail address of the user.
    pub email: Option<String>,
    /// Whether the user has verified the address.
    pub email_verified: bool,
    /// The time at which the membership began.
    pub since: Timestamp,
}

impl fmt::Debug for MemberView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemberView")
            .field("tenant_id", &self.tenant_id)
            .field("user_id", &self.user_id)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

/// The body of `POST /auth/bootstrap/tenants`.
#[derive(Debug, Default, Deserialize)]
pub struct BootstrapRequest {
    /// The id of a user with an account who becomes an owner of both tenants.
    #[serde(default)]
    pub owner_user_id: Option<UserId>,
    /// The first owner by address. It lets the first user in where signup is closed. A missing account is created. An
    /// existing account stays as it is, its password included.
    #[serde(default)]
    pub owner: Option<FirstOwner>,
}

/// The first owner of the control plane.
#[derive(Debug, Deserialize)]
pub struct FirstOwner {
    /// The e-mail address.
    pub email: SecretText,
    /// The password of the account, if it is created.
    pub password: Password,
    /// The display name.
    #[serde(default)]
    pub display_name: Option<String>,
}

/// The tenants that every deployment has.
#[derive(Debug, Clone, Serialize)]
pub struct BootstrapResponse {
    /// The control plane `t_system`, and `t_northstar`.
    pub tenants: Vec<TenantView>,
}
