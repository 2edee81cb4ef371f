//! Caches of what admission reads from the store. Entries live for a short time.

use std::sync::Arc;

use engines_core::{Clock, DocId, Result, Role, TenantId, Timestamp, UserId};
use ulid::Ulid;

use super::{
    documents::{ApiKeyBody, MemberBody, SessionBody, TenantBody, TenantStatus, TicketInfo, UserBody},
    expiring_cache::ExpiringCache,
    records::{self, API_KEY, MEMBER, Records, SESSION, TENANT, USER},
    settings::IdentitySettings,
};

/// The state of a user or a tenant in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DirectoryStatus {
    Unknown,
    Active,
    /// A user whose account is kept by another issuer. The user is active, and may be a member of tenants that the
    /// store does not know.
    Foreign,
    Disabled,
}

/// The part of a user that admission needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AccountInfo {
    pub(crate) status: DirectoryStatus,
    /// The tenant that the user has chosen for requests that name none.
    pub(crate) default_tenant: Option<TenantId>,
    /// Sessions of earlier generations are invalid.
    pub(crate) generation: u64,
    /// Tokens issued before this time are refused.
    pub(crate) tokens_valid_from: Option<Timestamp>,
}

/// The part of a session that admission needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SessionInfo {
    pub(crate) user: UserId,
    pub(crate) generation: u64,
}

/// The state of a membership in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Membership {
    Unknown,
    Removed,
    Role(Role),
}

/// The caches, one for each kind of document.
#[derive(Debug)]
pub(crate) struct DirectoryCache {
    pub(crate) users: ExpiringCache<UserId, AccountInfo>,
    pub(crate) tenants: ExpiringCache<TenantId, DirectoryStatus>,
    /// The membership, and the API key that it lasts as long as, if there is one.
    pub(crate) members: ExpiringCache<(TenantId, UserId), (Membership, Option<Ulid>)>,
    /// `None` if the session has ended.
    pub(crate) sessions: ExpiringCache<Ulid, Option<SessionInfo>>,
    pub(crate) api_keys: ExpiringCache<Ulid, Option<Arc<ApiKeyBody>>>,
    /// Reusable tickets only. `None` if the ticket has ended.
    pub(crate) tickets: ExpiringCache<Ulid, Option<TicketInfo>>,
}

impl DirectoryCache {
    pub(crate) fn new(settings: &IdentitySettings, clock: &Arc<dyn Clock>) -> Self {
        let (room, ttl) = (settings.facts, settings.facts_ttl());
        Self {
            users: ExpiringCache::new(room, ttl, Arc::clone(clock)),
            tenants: ExpiringCache::new(room, ttl, Arc::clone(clock)),
            members: ExpiringCache::new(room, ttl, Arc::clone(clock)),
            sessions: ExpiringCache::new(room, ttl, Arc::clone(clock)),
            api_keys: ExpiringCache::new(room, ttl, Arc::clone(clock)),
            tickets: ExpiringCache::new(room, ttl, Arc::clone(clock)),
        }
    }

    pub(crate) async fn user(&self, records: &Records, user: &UserId) -> Result<AccountInfo> {
        let read = || async {
            let found = records.get::<UserBody>(&USER, &records::user_id(user)?).await?;
            let generation = found.as_ref().map_or(0, |user| user.body.generation);
            let tokens_valid_from = found.as_ref().and_then(|user| user.body.tokens_valid_from);
            let default_tenant = found.as_ref().and_then(|user| user.body.default_tenant.clone());
            let status = found.map_or(DirectoryStatus::Unknown, |user| match user.body {
                UserBody { disabled: true, .. } => DirectoryStatus::Disabled,
                body if body.is_block_record() => DirectoryStatus::Unknown,
                UserBody { issuer: Some(_), .. } => DirectoryStatus::Foreign,
                UserBody { .. } => DirectoryStatus::Active,
            });
            Ok(AccountInfo { status, default_tenant, generation, tokens_valid_from })
        };
        self.users.get(user, read).await
    }

    pub(crate) async fn tenant(&self, records: &Records, tenant: &TenantId) -> Result<DirectoryStatus> {
        let read = || async {
            let found = records.get::<TenantBody>(&TENANT, &records::tenant_id(tenant)?).await?;
            Ok(found.map_or(DirectoryStatus::Unknown, |tenant| match tenant.body.status {
                TenantStatus::Active => DirectoryStatus::Active,
                TenantStatus::Disabled | TenantStatus::Suspended | TenantStatus::Purging | TenantStatus::Purged => {
                    DirectoryStatus::Disabled
                }
            }))
        };
        self.tenants.get(tenant, read).await
    }

    /// Returns a membership as it is stored. [`IdentityState::membership`](super::state::IdentityState::membership)
    /// also checks its key.
    pub(super) async fn member(
        &self,
        records: &Records,
        tenant: &TenantId,
        user: &UserId,
    ) -> Result<(Membership, Option<Ulid>)> {
        let read = || async {
            let found = records.get::<MemberBody>(&MEMBER, &records::member_id(tenant, user)?).await?;
            Ok(found.map_or((Membership::Unknown, None), |member| match member.body {
                MemberBody { removed: true, .. } => (Membership::Removed, None),
                MemberBody { role, key, .. } => (Membership::Role(role), key),
            }))
        };
        self.members.get(&(tenant.clone(), user.clone()), read).await
    }

    pub(crate) async fn session(&self, records: &Records, session: Ulid) -> Result<Option<SessionInfo>> {
        let read = || async {
            let found = records.get::<SessionBody>(&SESSION, &DocId::from(session)).await?;
            let info = |session: SessionBody| SessionInfo { user: session.user_id, generation: session.generation };
            Ok(found.map(|session| info(session.body)))
        };
        self.sessions.get(&session, read).await
    }

    pub(crate) async fn api_key(&self, records: &Records, key: Ulid) -> Result<Option<Arc<ApiKeyBody>>> {
        let read = || async {
            let found = records.get::<ApiKeyBody>(&API_KEY, &DocId::from(key)).await?;
            Ok(found.map(|key| Arc::new(key.body)))
        };
        self.api_keys.get(&key, read).await
    }
}
