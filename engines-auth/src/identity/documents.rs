//! Bodies of the documents. They hold hashes of secrets, never secrets. An e-mail address is only in the document of
//! its user.

use std::{collections::BTreeSet, fmt, sync::Arc, time::Duration};

use engines_core::{ActorType, Role, ScopeRestriction, TenantId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use ulid::Ulid;

use super::opaque_token::TokenHash;

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct UserBody {
    pub(crate) user_id: UserId,
    /// The issuer of a user whose account is kept elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) issuer: Option<String>,
    pub(crate) email: Option<String>,
    /// Whether the user has verified the address. Documents without this field were written before verification
    /// existed; their addresses count as verified.
    #[serde(default = "default_true")]
    pub(crate) email_verified: bool,
    /// The address that the account gets when it is verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pending_email: Option<String>,
    pub(crate) display_name: Option<String>,
    /// The hash as a PHC string.
    pub(crate) password: Option<String>,
    #[serde(default)]
    pub(crate) disabled: bool,
    pub(crate) default_tenant: Option<TenantId>,
    /// Incremented by everything that ends all sessions of the user. A session that began with a lower generation is
    /// invalid, even if it is written later.
    #[serde(default)]
    pub(crate) generation: u64,
    /// Tokens issued before this time are refused for every issuer. Set when a disabled user is enabled again.
    #[serde(default)]
    pub(crate) tokens_valid_from: Option<Timestamp>,
    /// Whether the user has deleted the account. The document stays, so that tokens which still name the id are
    /// refused.
    #[serde(default)]
    pub(crate) deleted: bool,
}

impl UserBody {
    /// A user with an id and nothing else.
    pub(crate) fn new(user_id: UserId) -> Self {
        Self {
            user_id,
            issuer: None,
            email: None,
            email_verified: false,
            pending_email: None,
            display_name: None,
            password: None,
            disabled: false,
            default_tenant: None,
            generation: 0,
            tokens_valid_from: None,
            deleted: false,
        }
    }

    /// The document that is left when a user deletes the account.
    pub(crate) fn into_deleted(self) -> Self {
        let generation = self.generation + 1;
        Self { issuer: self.issuer, disabled: true, generation, deleted: true, ..Self::new(self.user_id) }
    }

    /// Returns whether this is no account but a record that a user, known only from tokens minted elsewhere, is or was
    /// disabled.
    pub(crate) fn is_block_record(&self) -> bool {
        !self.deleted && self.issuer.is_none() && self.email.is_none() && self.password.is_none()
    }

    /// Returns the address if the user has verified it.
    pub(crate) fn verified_email(&self) -> Option<&str> {
        self.email.as_deref().filter(|_| self.email_verified)
    }
}

impl fmt::Debug for UserBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserBody").field("user_id", &self.user_id).finish_non_exhaustive()
    }
}

fn default_true() -> bool {
    true
}

/// The accounts that have or claim an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EmailBody {
    /// The account that has verified the address. Then there are no claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) user_id: Option<UserId>,
    /// The accounts that claim the address, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) claims: Vec<UserId>,
}

/// The purpose of a mailed token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TokenPurpose {
    /// Verification of an address.
    Verify,
    /// Reset of a password.
    Reset,
}

/// A mailed token. It is valid once, for one purpose, one account and one address.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct MailTokenBody {
    pub(crate) purpose: TokenPurpose,
    pub(crate) hash: TokenHash,
    pub(crate) user_id: UserId,
    /// The generation of the user when the token was mailed.
    pub(crate) generation: u64,
    /// The keyed hash of the address that the token was mailed to.
    pub(crate) address: String,
    pub(crate) expires_at: Timestamp,
}

/// A login and the refresh tokens that followed from it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SessionBody {
    pub(crate) user_id: UserId,
    /// The generation of the user when the session began.
    #[serde(default)]
    pub(crate) generation: u64,
    /// The hash of the part that all refresh tokens of the session share.
    pub(crate) family: TokenHash,
    /// The hash of the refresh token that is valid now.
    pub(crate) current: TokenHash,
    /// The number of times that a refresh token was replaced. The next token is derived from it. Sessions of earlier
    /// versions have 0.
    #[serde(default)]
    pub(crate) uses: u64,
    /// The hash of the token before the current one, and when it was replaced.
    #[serde(default)]
    pub(crate) previous: Option<(TokenHash, Timestamp)>,
    pub(crate) last_used_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    pub(crate) user_agent: Option<String>,
}

/// The status of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TenantStatus {
    /// The tenant is open.
    Active,
    /// An owner has closed the tenant.
    Disabled,
    /// The control plane has closed the tenant.
    Suspended,
    /// The data of the tenant is being removed.
    Purging,
    /// The data of the tenant was removed. Only the id is left.
    Purged,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct TenantBody {
    pub(crate) tenant_id: TenantId,
    pub(crate) name: String,
    pub(crate) status: TenantStatus,
    /// The number of members that are owners. It is written in one batch with the membership that changes it, with the
    /// version that was read. So two owners who leave at the same time cannot both succeed.
    pub(crate) owners: u32,
    /// The time at which the tenant is removed with all its data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) purge_at: Option<Timestamp>,
}

/// A membership. A membership that has ended stays in the store, so that credentials which still claim it are refused.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct MemberBody {
    pub(crate) tenant_id: TenantId,
    pub(crate) user_id: UserId,
    pub(crate) role: Role,
    #[serde(default)]
    pub(crate) removed: bool,
    pub(crate) since: Timestamp,
    /// The API key whose invite created the membership. The membership lasts as long as that key, until a person sets
    /// the role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<Ulid>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct InviteBody {
    pub(crate) tenant_id: TenantId,
    pub(crate) role: Role,
    /// The hash of the token that the inviter got.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hash: Option<TokenHash>,
    /// The hash of the token that was mailed, which verifies the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mail_hash: Option<TokenHash>,
    /// The keyed hash of the only address that may accept the invite.
    pub(crate) email: Option<String>,
    /// The only user who may accept the invite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) user_id: Option<UserId>,
    pub(crate) invited_by: UserId,
    pub(crate) expires_at: Timestamp,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ApiKeyBody {
    pub(crate) tenant_id: TenantId,
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) actor_type: ActorType,
    pub(crate) hash: TokenHash,
    /// The number of times that the secret was replaced.
    #[serde(default)]
    pub(crate) rotation: u32,
    /// The hash of the secret before the last rotation, and until when it stays valid.
    pub(crate) previous: Option<(TokenHash, Timestamp)>,
    pub(crate) created_by: UserId,
    /// The key that this key was created with. This key is valid only as long as its parent.
    #[serde(default)]
    pub(crate) parent: Option<Ulid>,
    pub(crate) expires_at: Option<Timestamp>,
}

impl ApiKeyBody {
    /// Returns the number of the rotation whose secret this is, if that secret is valid now.
    pub(crate) fn rotation_of(&self, text: &str, now: Timestamp) -> Option<u32> {
        if self.hash.matches(text) {
            return Some(self.rotation);
        }
        let (hash, _) = self.previous.as_ref()?;
        let before = self.rotation.checked_sub(1)?;
        (hash.matches(text) && self.is_valid(before, now)).then_some(before)
    }

    /// Returns whether the secret of this rotation is valid.
    pub(crate) fn is_valid(&self, rotation: u32, now: Timestamp) -> bool {
        let grace = self.previous.as_ref().is_some_and(|(_, until)| now < *until);
        rotation == self.rotation || grace && rotation.checked_add(1) == Some(self.rotation)
    }
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct ApiKeyUseBody {
    pub(crate) last_used_at: Timestamp,
}

/// A ticket. It represents the credential that it was created with: when that ends, the streams opened with the ticket
/// end.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct TicketBody {
    pub(crate) hash: TokenHash,
    pub(crate) bound: ScopeRestriction,
    pub(crate) path: String,
    /// The streams that the query names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) streams: Option<BTreeSet<String>>,
    pub(crate) expires_at: Timestamp,
    pub(crate) user_id: UserId,
    pub(crate) actor_type: ActorType,
    pub(crate) role: Role,
    pub(crate) issuer: Arc<str>,
    pub(crate) credential_id: Option<Arc<str>>,
    pub(crate) session: Option<Arc<str>>,
    /// The time at which the credential was issued, if the credential has it.
    #[serde(default)]
    pub(crate) issued_at: Option<Timestamp>,
    /// The time at which streams opened with the ticket end: the expiry of the credential, or `None` if the directory
    /// watches the session.
    pub(crate) until: Option<Timestamp>,
}

/// The part of a reusable ticket that is cached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TicketInfo {
    pub(crate) expires_at: Timestamp,
    pub(crate) ttl: Duration,
    /// Whether a renewal extends the ticket. It does not when the ticket already lasts as long as its credential.
    pub(crate) renewable: bool,
}
