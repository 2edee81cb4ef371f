//! Requests and responses of the identity routes, with the field names of the wire contract.

use std::fmt;

use engines_core::{ActorType, Env, Role, TenantId, Timestamp, Trace, UserId};
use serde::{Deserialize, Deserializer, Serialize};

use super::{documents::TenantStatus, wire_accounts::yes};
use crate::{client_network::ClientNetwork, password::Password, secret::SecretText};

/// The caller of a route that has no context. Limits and records use it.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    /// The network address without the port. Without an address, limits by address do not apply.
    pub address: Option<&'a str>,
    /// The `User-Agent`, which users see in the list of their sessions. Its first 256 characters are kept.
    pub user_agent: Option<&'a str>,
    /// The ids of the request.
    pub trace: &'a Trace,
}

impl Caller<'_> {
    /// Returns the network by which limits count the caller.
    #[must_use]
    pub fn network(&self) -> ClientNetwork {
        ClientNetwork::of(self.address)
    }
}

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
    #[serde(default, deserialize_with = "given")]
    pub display_name: Option<Option<String>>,
}

/// Distinguishes `null` from an absent field.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// The body of `DELETE /auth/me`.
#[derive(Debug, Default, Deserialize)]
pub struct DeleteAccountRequest {
    /// The password. Required for an account that has one.
    #[serde(default)]
    pub password: Option<Password>,
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
    #[serde(default = "yes")]
    pub send: bool,
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
