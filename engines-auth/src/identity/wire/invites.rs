//! Requests and responses about invites.

use engines_core::{Role, TenantId, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use super::{accounts::MeResponse, sessions::TokenResponse};
use crate::{password::Password, secret::SecretText};

/// The body of `POST /tenants/{t}/invites`.
#[derive(Debug, Deserialize)]
pub struct InviteRequest {
    /// The role of the new member.
    pub role: Role,
    /// The only address that may accept. Without one, the holder of the token may accept.
    #[serde(default)]
    pub email: Option<SecretText>,
    /// Seconds until the invite expires. Default: `invite_ttl_s` of the settings.
    #[serde(default)]
    pub expires_in: Option<u64>,
    /// Whether a mail is sent to the address, if there is a mailer. Default: true.
    #[serde(default = "default_true")]
    pub send: bool,
}

/// The default of `send`.
fn default_true() -> bool {
    true
}

/// A new invite. No other response holds the token.
#[derive(Debug, Serialize)]
pub struct InviteResponse {
    /// The token to send to the invited person.
    pub token: SecretText,
    /// The invite without its token.
    #[serde(flatten)]
    pub invite: InviteView,
}

/// An open invite.
#[derive(Debug, Clone, Serialize)]
pub struct InviteView {
    /// The id of the invite.
    pub invite_id: String,
    /// The id of the tenant.
    pub tenant_id: TenantId,
    /// The role of the new member.
    pub role: Role,
    /// Whether only one address may accept.
    pub for_one_address: bool,
    /// The only user who may accept, if the invite is for a user.
    pub user_id: Option<UserId>,
    /// The user or API key that created the invite.
    pub invited_by: UserId,
    /// The time at which the invite expires.
    pub expires_at: Timestamp,
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

/// The body of `POST /auth/invites/accept`: the token of an invite, or the id of an invite that is addressed to the
/// caller. A new user sends the token, an address and a password.
#[derive(Debug, Default, Deserialize)]
pub struct AcceptRequest {
    /// The token of the invite.
    #[serde(default, alias = "invite_token")]
    pub token: Option<SecretText>,
    /// The id of an invite that is addressed to the caller.
    #[serde(default)]
    pub invite_id: Option<String>,
    /// The address of the new account.
    #[serde(default)]
    pub email: Option<SecretText>,
    /// The password of the new account.
    #[serde(default)]
    pub password: Option<Password>,
    /// The display name of the new account.
    #[serde(default)]
    pub display_name: Option<String>,
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

/// The body of `POST /auth/invites/decline`.
#[derive(Debug, Deserialize)]
pub struct DeclineRequest {
    /// The id of an invite that is addressed to the caller.
    pub invite_id: String,
}
