//! Requests and responses about logins, refresh tokens and sessions.

use engines_core::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    accounts::UserView,
    tenants::{MembershipView, TenantView},
};
use crate::{password::Password, secret::SecretText};

/// The body of `POST /auth/login`.
#[derive(Debug, Deserialize)]
pub struct LoginRequest {
    /// The e-mail address of the account.
    pub email: SecretText,
    /// The password of the account.
    pub password: Password,
}

/// The body of `POST /auth/refresh`.
#[derive(Debug, Deserialize)]
pub struct RefreshRequest {
    /// The refresh token of the last token response.
    pub refresh_token: SecretText,
}

/// The response to a login, a signup or a refresh.
#[derive(Debug, Serialize)]
pub struct TokenResponse {
    /// The access token.
    pub access_token: SecretText,
    /// The type of the access token: always `bearer`.
    pub token_type: &'static str,
    /// Seconds until the access token expires.
    pub expires_in: u64,
    /// The refresh token. It is valid once, for the next token response.
    pub refresh_token: SecretText,
    /// The user who logged in.
    pub user: UserView,
    /// The tenant of requests that name none.
    pub tenant: Option<TenantView>,
    /// Memberships, tenants that the user owns first; at most 50.
    pub memberships: Vec<MembershipView>,
    /// The cursor with which `GET /auth/memberships` continues. Absent when `memberships` is complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memberships_next: Option<String>,
}

/// A session of the caller.
#[derive(Debug, Clone, Serialize)]
pub struct SessionView {
    /// The id of the session.
    pub session_id: String,
    /// The time of the login.
    pub created_at: Timestamp,
    /// The time of the last refresh.
    pub last_used_at: Timestamp,
    /// The time at which the session expires if it is not refreshed.
    pub expires_at: Timestamp,
    /// The `User-Agent` of the login.
    pub user_agent: Option<String>,
    /// Whether this is the session of the request.
    pub current: bool,
}
