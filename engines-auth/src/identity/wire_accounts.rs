//! Requests and responses about addresses, mailed tokens, invites of the caller and the default tenant.

use engines_core::{Role, TenantId, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use super::wire::{MeResponse, TokenResponse};
use crate::{password::Password, secret::SecretText};

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

/// The body of `PUT /auth/me/default-tenant`.
#[derive(Debug, Deserialize)]
pub struct DefaultTenantRequest {
    /// The tenant of requests that name none.
    pub tenant_id: TenantId,
}

/// The body of `POST /auth/invites/decline`.
#[derive(Debug, Deserialize)]
pub struct DeclineRequest {
    /// The id of an invite that is addressed to the caller.
    pub invite_id: String,
}

/// An invite that is addressed to the caller.
#[derive(Debug, Clone, Serialize)]
pub struct OwnInviteView {
    /// The id of the invite.
    pub invite_id: String,
    /// The id of the tenant.
    pub tenant_id: TenantId,
    /// The display name of the tenant. `None` for a tenant without a document.
    pub tenant_name: Option<String>,
    /// The role of the new member.
    pub role: Role,
    /// The user or API key that created the invite.
    pub invited_by: UserId,
    /// The time at which the invite expires.
    pub expires_at: Timestamp,
}

/// The response of `POST /auth/invites/accept`.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum AcceptResponse {
    /// A user with an account here is logged in.
    Tokens(Box<TokenResponse>),
    /// Other users keep the token that they have.
    Me(Box<MeResponse>),
}

/// The default of `send`.
pub(super) fn yes() -> bool {
    true
}
