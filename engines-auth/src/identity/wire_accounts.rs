//! What goes over the wire about addresses, mailed tokens, one's own invites and the default tenant.

use engines_core::{Role, TenantId, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use super::wire::{MeResponse, TokenResponse};
use crate::{password::Password, secret::SecretText};

/// The answer to what is done later, or not at all: the same in every case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Accepted {
    /// `accepted`.
    pub status: &'static str,
}

impl Default for Accepted {
    fn default() -> Self {
        Self { status: "accepted" }
    }
}

/// The answer of `POST /tenants/{t}/members`: the same whoever is invited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Invited {
    /// `invited`.
    pub status: &'static str,
}

impl Default for Invited {
    fn default() -> Self {
        Self { status: "invited" }
    }
}

/// `POST /auth/verify`.
#[derive(Debug, Deserialize)]
pub struct MailTokenRequest {
    /// The token that was mailed.
    pub token: SecretText,
}

/// `POST /auth/password/forgot`.
#[derive(Debug, Deserialize)]
pub struct ForgotRequest {
    /// The address of the account.
    pub email: SecretText,
}

/// `POST /auth/password/reset`.
#[derive(Debug, Deserialize)]
pub struct ResetRequest {
    /// The token that was mailed.
    pub token: SecretText,
    /// The new password.
    pub password: Password,
}

/// `POST /auth/email`.
#[derive(Debug, Deserialize)]
pub struct EmailRequest {
    /// The address the account is to have.
    pub email: SecretText,
    /// The account's password.
    pub password: Password,
}

/// `PUT /auth/me/default-tenant`.
#[derive(Debug, Deserialize)]
pub struct DefaultTenantRequest {
    /// The tenant meant when a request names none.
    pub tenant_id: TenantId,
}

/// `POST /auth/invites/decline`.
#[derive(Debug, Deserialize)]
pub struct DeclineRequest {
    /// The id of one of one's own invites.
    pub invite_id: String,
}

/// One of one's own invites.
#[derive(Debug, Clone, Serialize)]
pub struct OwnInviteView {
    /// Its id.
    pub invite_id: String,
    /// The tenant.
    pub tenant_id: TenantId,
    /// Its name; none where it is kept elsewhere.
    pub tenant_name: Option<String>,
    /// The role of whoever accepts.
    pub role: Role,
    /// Who made it.
    pub invited_by: UserId,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// The answer of `POST /auth/invites/accept`.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum AcceptResponse {
    /// Who has an account here is logged in.
    Tokens(Box<TokenResponse>),
    /// Others go on with the token they have.
    Me(Box<MeResponse>),
}

/// What a missing `send` means.
pub(super) fn yes() -> bool {
    true
}
