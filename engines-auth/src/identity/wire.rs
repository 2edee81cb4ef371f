//! What goes over the wire: requests and responses with the contract's field names.

use std::fmt;

use engines_core::{ActorType, Env, Role, TenantId, Timestamp, Trace, UserId};
use serde::{Deserialize, Deserializer, Serialize};

use super::{documents::TenantStatus, wire_accounts::yes};
use crate::{client_network::ClientNetwork, password::Password, secret::SecretText};

/// Where a call comes from that no context stands for: what throttles and records go by.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    /// The network address, without the port. Without one the limits per address do not apply.
    pub address: Option<&'a str>,
    /// `User-Agent`, shown to the user with their sessions; its first 256 characters are kept.
    pub user_agent: Option<&'a str>,
    /// The request's ids.
    pub trace: &'a Trace,
}

impl Caller<'_> {
    /// The network that limits count the caller by.
    #[must_use]
    pub fn network(&self) -> ClientNetwork {
        ClientNetwork::of(self.address)
    }
}

/// `POST /auth/signup`.
#[derive(Debug, Deserialize)]
pub struct SignupRequest {
    /// The address, which is what one logs in with.
    pub email: SecretText,
    /// The password.
    pub password: Password,
    /// A name for others to see, at most 200 characters.
    #[serde(default)]
    pub display_name: Option<String>,
    /// Makes a tenant of this name too, and the user its owner.
    #[serde(default)]
    pub tenant_name: Option<String>,
}

/// `POST /auth/login`.
#[derive(Debug, Deserialize)]
pub struct LoginRequest {
    /// The address.
    pub email: SecretText,
    /// The password.
    pub password: Password,
}

/// `POST /auth/refresh`.
#[derive(Debug, Deserialize)]
pub struct RefreshRequest {
    /// The token of the last token response.
    pub refresh_token: SecretText,
}

/// The token response.
#[derive(Debug, Serialize)]
pub struct TokenResponse {
    /// The access token.
    pub access_token: SecretText,
    /// `bearer`.
    pub token_type: &'static str,
    /// Seconds the access token is good.
    pub expires_in: u64,
    /// Good once, for the next token response.
    pub refresh_token: SecretText,
    /// Who logged in.
    pub user: UserView,
    /// The tenant meant when a request names none.
    pub tenant: Option<TenantView>,
    /// Memberships, the tenants one owns first; at most 50.
    pub memberships: Vec<MembershipView>,
    /// Where `GET /auth/memberships` goes on after them; none when these are all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memberships_next: Option<String>,
}

/// A user, for themselves.
#[derive(Clone, Serialize)]
pub struct UserView {
    /// The id, which is the tokens' `sub`.
    pub user_id: UserId,
    /// The address.
    pub email: Option<String>,
    /// Whether the user has proved that the address is theirs.
    pub email_verified: bool,
    /// The name for others to see.
    pub display_name: Option<String>,
    /// A person or an agent.
    pub actor_type: ActorType,
    /// When the account was made; none where it is kept elsewhere.
    pub created_at: Option<Timestamp>,
}

impl fmt::Debug for UserView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserView").field("user_id", &self.user_id).finish_non_exhaustive()
    }
}

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TenantView {
    /// Its id.
    pub tenant_id: TenantId,
    /// Its name.
    pub name: String,
    /// Whether it is open.
    pub status: TenantStatus,
    /// When it is to be removed with all its data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purge_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// One of one's own memberships.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MembershipView {
    /// The tenant.
    pub tenant_id: TenantId,
    /// Its name; none where it is kept elsewhere.
    pub name: Option<String>,
    /// The role there.
    pub role: Role,
}

/// `GET /auth/me`.
#[derive(Debug, Clone, Serialize)]
pub struct MeResponse {
    /// Who asks.
    pub user: UserView,
    /// The tenant meant when a request names none.
    pub tenant: Option<TenantView>,
    /// Memberships, the tenants one owns first; at most 50.
    pub memberships: Vec<MembershipView>,
    /// Where `GET /auth/memberships` goes on after them; none when these are all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memberships_next: Option<String>,
}

/// `GET /auth/bootstrap`: what a client needs to begin.
#[derive(Debug, Clone, Serialize)]
pub struct BootstrapState {
    /// Who asks, and where they may go.
    #[serde(flatten)]
    pub me: MeResponse,
    /// The environments there are.
    pub envs: [Env; 3],
    /// Whether the control plane's tenants have been made.
    pub bootstrapped: bool,
}

/// `POST /auth/password`.
#[derive(Debug, Deserialize)]
pub struct PasswordRequest {
    /// The password that is to be replaced.
    pub current_password: Password,
    /// The one that replaces it.
    pub new_password: Password,
}

/// `PATCH /auth/me`: what is left out stays as it is.
#[derive(Debug, Default, Deserialize)]
pub struct ProfileRequest {
    /// The name for others to see, 1 to 200 characters; null for none.
    #[serde(default, deserialize_with = "given")]
    pub display_name: Option<Option<String>>,
}

/// Tells null from absent.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// `DELETE /auth/me`.
#[derive(Debug, Default, Deserialize)]
pub struct DeleteAccountRequest {
    /// The password, of an account that has one.
    #[serde(default)]
    pub password: Option<Password>,
}

/// One of one's own sessions.
#[derive(Debug, Clone, Serialize)]
pub struct SessionView {
    /// Its id.
    pub session_id: String,
    /// When one logged in.
    pub created_at: Timestamp,
    /// When it was last refreshed.
    pub last_used_at: Timestamp,
    /// When it ends if it is not refreshed.
    pub expires_at: Timestamp,
    /// What it was begun with.
    pub user_agent: Option<String>,
    /// Whether it is the one that asks.
    pub current: bool,
}

/// `POST /tenants`, and `PATCH /tenants/{t}`.
#[derive(Debug, Deserialize)]
pub struct TenantRequest {
    /// Its name, 1 to 200 characters.
    pub name: String,
}

/// `POST /tenants/{t}/members`: one of the two says who is invited.
#[derive(Debug, Deserialize)]
pub struct MemberRequest {
    /// The user.
    #[serde(default)]
    pub user_id: Option<UserId>,
    /// The address.
    #[serde(default)]
    pub email: Option<SecretText>,
    /// The role.
    pub role: Role,
}

/// `PATCH /tenants/{t}/members/{user_id}`.
#[derive(Debug, Deserialize)]
pub struct RoleRequest {
    /// The new role.
    pub role: Role,
}

/// A member, for those who manage members.
#[derive(Clone, Serialize)]
pub struct MemberView {
    /// The tenant.
    pub tenant_id: TenantId,
    /// The user.
    pub user_id: UserId,
    /// The role.
    pub role: Role,
    /// The name for others to see.
    pub display_name: Option<String>,
    /// The address.
    pub email: Option<String>,
    /// Whether the member has proved that the address is theirs.
    pub email_verified: bool,
    /// Since when.
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

/// `POST /tenants/{t}/invites`.
#[derive(Debug, Deserialize)]
pub struct InviteRequest {
    /// The role of whoever accepts.
    pub role: Role,
    /// The only address that may accept; without one, whoever has the token may.
    #[serde(default)]
    pub email: Option<SecretText>,
    /// Seconds it is good.
    #[serde(default)]
    pub expires_in: Option<u64>,
    /// Whether a mail is sent to the address, where there is a mailer; yes if absent.
    #[serde(default = "yes")]
    pub send: bool,
}

/// An invite just made: the token is shown this once.
#[derive(Debug, Serialize)]
pub struct InviteResponse {
    /// What to send to whoever is invited.
    pub token: SecretText,
    /// The rest.
    #[serde(flatten)]
    pub invite: InviteView,
}

/// An invite that waits.
#[derive(Debug, Clone, Serialize)]
pub struct InviteView {
    /// Its id.
    pub invite_id: String,
    /// The tenant.
    pub tenant_id: TenantId,
    /// The role of whoever accepts.
    pub role: Role,
    /// Whether only one address may accept.
    pub for_one_address: bool,
    /// The only user who may accept, when it is for one.
    pub user_id: Option<UserId>,
    /// Who made it.
    pub invited_by: UserId,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// `POST /auth/invites/accept`: the invite's token, or the id of one of one's own invites. Somebody new sends the token, an address and a
/// password.
#[derive(Debug, Default, Deserialize)]
pub struct AcceptRequest {
    /// The invite's token.
    #[serde(default, alias = "invite_token")]
    pub token: Option<SecretText>,
    /// The id of one of one's own invites.
    #[serde(default)]
    pub invite_id: Option<String>,
    /// The address of the new account.
    #[serde(default)]
    pub email: Option<SecretText>,
    /// Its password.
    #[serde(default)]
    pub password: Option<Password>,
    /// Its name for others to see.
    #[serde(default)]
    pub display_name: Option<String>,
}

/// `POST /auth/bootstrap/tenants`.
#[derive(Debug, Default, Deserialize)]
pub struct BootstrapRequest {
    /// A user with an account who becomes an owner of both tenants.
    #[serde(default)]
    pub owner_user_id: Option<UserId>,
    /// The same by address: how the first one gets in where nobody may sign up. An account that is not there is made, one that is stays as it
    /// is, password and all.
    #[serde(default)]
    pub owner: Option<FirstOwner>,
}

/// Who owns the control plane at first.
#[derive(Debug, Deserialize)]
pub struct FirstOwner {
    /// The address.
    pub email: SecretText,
    /// The password of the account, if it has to be made.
    pub password: Password,
    /// A name for others to see.
    #[serde(default)]
    pub display_name: Option<String>,
}

/// The tenants every deployment has.
#[derive(Debug, Clone, Serialize)]
pub struct BootstrapResponse {
    /// `t_system`, the control plane, and `t_northstar`.
    pub tenants: Vec<TenantView>,
}
