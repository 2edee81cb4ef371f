//! What the documents hold. No secret is in them, only hashes of secrets; an e-mail address only in its user's.

use std::{collections::BTreeSet, fmt};

use engines_core::{ActorType, Role, ScopeRestriction, TenantId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use ulid::Ulid;

use super::opaque_token::TokenHash;

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct UserBody {
    pub(crate) user_id: UserId,
    /// Who vouches for a user whose account is elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) issuer: Option<String>,
    pub(crate) email: Option<String>,
    /// Whether the user has proved that the address is theirs. Documents that do not say so are older than the question: theirs counts.
    #[serde(default = "yes")]
    pub(crate) email_verified: bool,
    /// The address the account is to have once it is proved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pending_email: Option<String>,
    pub(crate) display_name: Option<String>,
    /// The hash, as a PHC string.
    pub(crate) password: Option<String>,
    #[serde(default)]
    pub(crate) disabled: bool,
    pub(crate) default_tenant: Option<TenantId>,
    /// Counts what ended all of the user's sessions at once: one that was begun before is over, also if it is written after.
    #[serde(default)]
    pub(crate) generation: u64,
    /// Tokens issued before this are refused, whoever issued them. Set when a disabled user is enabled again.
    #[serde(default)]
    pub(crate) tokens_valid_from: Option<Timestamp>,
    /// Deleted by its user. What stays is the id, so that tokens which still name it are refused.
    #[serde(default)]
    pub(crate) deleted: bool,
}

impl UserBody {
    /// Somebody of whom only the id is known.
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

    /// What is left of a user who has gone.
    pub(crate) fn into_deleted(self) -> Self {
        let generation = self.generation + 1;
        Self { issuer: self.issuer, disabled: true, generation, deleted: true, ..Self::new(self.user_id) }
    }

    /// Whether this is no account: it says only that a user whom tokens minted elsewhere name is disabled, or was.
    pub(crate) fn is_block_record(&self) -> bool {
        !self.deleted && self.issuer.is_none() && self.email.is_none() && self.password.is_none()
    }

    /// The address, if the user has proved that it is theirs.
    pub(crate) fn verified_email(&self) -> Option<&str> {
        self.email.as_deref().filter(|_| self.email_verified)
    }
}

impl fmt::Debug for UserBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserBody").field("user_id", &self.user_id).finish_non_exhaustive()
    }
}

fn yes() -> bool {
    true
}

/// Who has an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EmailBody {
    /// The account that has proved it; then nobody else claims it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) user_id: Option<UserId>,
    /// Accounts that only named it, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) claims: Vec<UserId>,
}

/// What a mailed token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TokenPurpose {
    /// Proving an address.
    Verify,
    /// Setting a new password.
    Reset,
}

/// A token that was mailed: good once, for one purpose, one account and one address.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct MailTokenBody {
    pub(crate) purpose: TokenPurpose,
    pub(crate) hash: TokenHash,
    pub(crate) user_id: UserId,
    /// The user's generation when it was mailed.
    pub(crate) generation: u64,
    /// The keyed hash of the address it was mailed to.
    pub(crate) address: String,
    pub(crate) expires_at: Timestamp,
}

/// One login and all refresh tokens that came of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SessionBody {
    pub(crate) user_id: UserId,
    /// The user's generation when it was begun.
    #[serde(default)]
    pub(crate) generation: u64,
    /// Of what all tokens of the session have in common.
    pub(crate) family: TokenHash,
    /// Of the one token that is good.
    pub(crate) current: TokenHash,
    /// How often a token was replaced by the next one, from which the next one is derived; 0 also for sessions of earlier versions.
    #[serde(default)]
    pub(crate) uses: u64,
    /// Of the token before the good one, and when it was replaced.
    #[serde(default)]
    pub(crate) previous: Option<(TokenHash, Timestamp)>,
    pub(crate) last_used_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    pub(crate) user_agent: Option<String>,
}

/// Whether a tenant is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TenantStatus {
    /// It is.
    Active,
    /// Closed by one of its owners.
    Disabled,
    /// Closed by the control plane.
    Suspended,
    /// Its data is being removed.
    Purging,
    /// All its data was removed; what is left is its id.
    Purged,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct TenantBody {
    pub(crate) tenant_id: TenantId,
    pub(crate) name: String,
    pub(crate) status: TenantStatus,
    /// How many members are owners. Written in one batch with the membership that changes it, expecting the version that was read: so two
    /// owners who go at the same time cannot both.
    pub(crate) owners: u32,
    /// When it is to be removed with all its data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) purge_at: Option<Timestamp>,
}

/// A membership. One that has ended stays, so that a credential which still claims it is refused.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct MemberBody {
    pub(crate) tenant_id: TenantId,
    pub(crate) user_id: UserId,
    pub(crate) role: Role,
    #[serde(default)]
    pub(crate) removed: bool,
    pub(crate) since: Timestamp,
    /// The API key whose invite made it, until a person sets its role: it lasts as long as that key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<Ulid>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct InviteBody {
    pub(crate) tenant_id: TenantId,
    pub(crate) role: Role,
    /// Of the token that was made for the one who invites.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hash: Option<TokenHash>,
    /// Of the token that was mailed, which proves the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mail_hash: Option<TokenHash>,
    /// The keyed hash of the only address that may accept it.
    pub(crate) email: Option<String>,
    /// The only user who may accept it.
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
    /// How often the secret was replaced.
    #[serde(default)]
    pub(crate) rotation: u32,
    /// The secret before the last rotation, and until when it is good too.
    pub(crate) previous: Option<(TokenHash, Timestamp)>,
    pub(crate) created_by: UserId,
    /// The key it was made with, if it was made with one: it is good for as long as that one is.
    #[serde(default)]
    pub(crate) parent: Option<Ulid>,
    pub(crate) expires_at: Option<Timestamp>,
}

impl ApiKeyBody {
    /// Which of its secrets this is, if it is good now.
    pub(crate) fn rotation_of(&self, text: &str, now: Timestamp) -> Option<u32> {
        if self.hash.matches(text) {
            return Some(self.rotation);
        }
        let (hash, _) = self.previous.as_ref()?;
        let before = self.rotation.checked_sub(1)?;
        (hash.matches(text) && self.is_valid(before, now)).then_some(before)
    }

    /// Whether the secret of this rotation is good.
    pub(crate) fn is_valid(&self, rotation: u32, now: Timestamp) -> bool {
        let grace = self.previous.as_ref().is_some_and(|(_, until)| now < *until);
        rotation == self.rotation || grace && rotation.checked_add(1) == Some(self.rotation)
    }
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct ApiKeyUseBody {
    pub(crate) last_used_at: Timestamp,
}

/// A ticket stands for the credential it was made with: what ends that ends what was opened with the ticket.
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
    /// When the credential was issued, if it says so.
    #[serde(default)]
    pub(crate) issued_at: Option<Timestamp>,
    /// When what is opened with it ends: with the credential, or never by time where the directory looks after that.
    pub(crate) until: Option<Timestamp>,
}
