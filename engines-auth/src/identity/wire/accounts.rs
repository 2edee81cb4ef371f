//! Requests and responses about accounts: signup, profile, password and address.

use std::fmt;

use engines_core::{ActorType, Env, TenantId, Timestamp, UserId};
use serde::{Deserialize, Deserializer, Serialize};

use super::tenants::{MembershipView, TenantView};
use crate::{password::Password, secret::SecretText};

/// The body of `POST /auth/signup`.
#[derive(Debug, Deserialize)]
pub struct SignupRequest {
    /// The e-mail address, which is the login name.
    pub email: SecretText,
    /// The password of the new account.
    pub password: Password,
    /// The display name, at most 200 characters.
    #[serde(default)]
    pub display_name: Option<String>,
    /// The name of a tenant to create, with the user as its owner.
    #[serde(default)]
    pub tenant_name: Option<String>,
}

/// A user, as the user sees it.
#[derive(Clone, Serialize)]
pub struct UserView {
    /// The id of the user, which is the `sub` of tokens.
    pub user_id: UserId,
    /// The e-mail address.
    pub email: Option<String>,
    /// Whether the user has verified the address.
    pub email_verified: bool,
    /// The display name.
    pub display_name: Option<String>,
    /// Whether the user is a person or an agent.
    pub actor_type: ActorType,
    /// The time at which the account was created. `None` for an account that is kept elsewhere.
    pub created_at: Option<Timestamp>,
}

impl fmt::Debug for UserView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserView").field("user_id", &self.user_id).finish_non_exhaustive()
    }
}

/// The response of `GET /auth/me`.
#[derive(Debug, Clone, Serialize)]
pub struct MeResponse {
    /// The calling user.
    pub user: UserView,
    /// The tenant of requests that name none.
    pub tenant: Option<TenantView>,
    /// Memberships, tenants that the user owns first; at most 50.
    pub memberships: Vec<MembershipView>,
    /// The cursor with which `GET /auth/memberships` continues. Absent when `memberships` is complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memberships_next: Option<String>,
}

/// The response of `GET /auth/bootstrap`: what a client needs at its start.
#[derive(Debug, Clone, Serialize)]
pub struct BootstrapState {
    /// The calling user, tenant and memberships.
    #[serde(flatten)]
    pub me: MeResponse,
    /// The environments of every tenant.
    pub envs: [Env; 3],
    /// Whether the tenants of the control plane exist.
    pub bootstrapped: bool,
}

/// The body of `POST /auth/password`.
#[derive(Debug, Deserialize)]
pub struct PasswordRequest {
    /// The current password.
    pub current_password: Password,
    /// The new password.
    pub new_password: Password,
}

/// The body of `PATCH /auth/me`. Absent fields stay unchanged.
#[derive(Debug, Default, Deserialize)]
pub struct ProfileRequest {
    /// The display name, 1 to 200 characters. `null` removes it.
    #[serde(default, deserialize_with = "present_or_null")]
    pub display_name: Option<Option<String>>,
}

/// Distinguishes `null` from an absent field.
fn present_or_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// The body of `DELETE /auth/me`.
#[derive(Debug, Default, Deserialize)]
pub struct DeleteAccountRequest {
    /// The password. Required for an account that has one.
    #[serde(default)]
    pub password: Option<Password>,
}

/// The body of `PUT /auth/me/default-tenant`.
#[derive(Debug, Deserialize)]
pub struct DefaultTenantRequest {
    /// The tenant of requests that name none.
    pub tenant_id: TenantId,
}

/// The body of `POST /auth/verify`.
#[derive(Debug, Deserialize)]
pub struct MailTokenRequest {
    /// The token that was mailed.
    pub token: SecretText,
}

/// The body of `POST /auth/password/forgot`.
#[derive(Debug, Deserialize)]
pub struct ForgotRequest {
    /// The address of the account.
    pub email: SecretText,
}

/// The body of `POST /auth/password/reset`.
#[derive(Debug, Deserialize)]
pub struct ResetRequest {
    /// The token that was mailed.
    pub token: SecretText,
    /// The new password.
    pub password: Password,
}

/// The body of `POST /auth/email`.
#[derive(Debug, Deserialize)]
pub struct EmailRequest {
    /// The new address.
    pub email: SecretText,
    /// The password of the account.
    pub password: Password,
}

/// The response to a request that is carried out later, or not at all. It is the same in every case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Accepted {
    /// The text `accepted`.
    pub status: &'static str,
}

impl Default for Accepted {
    fn default() -> Self {
        Self { status: "accepted" }
    }
}
