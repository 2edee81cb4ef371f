//! The single place that changes memberships, so that a tenant keeps its last owner.

use engines_core::{
    Batch, Code, Error, Result, Role, Scope, TenantId, UserId,
    nexus::{CommitError, Expect, FailedPrecondition},
};

use super::{
    directory_cache::Membership,
    documents::MemberBody,
    purge,
    records::{self, MAX_ATTEMPTS, MEMBER, TENANT, conflict_error},
    state::IdentityState,
    tenants::{adopted_tenant, put_member},
};
use crate::revocation::Revocation;

const CHANGE: &str = "members.manage";

impl IdentityState {
    /// Returns the state of a membership now. A membership that lasts as long as an API key has ended when the key has.
    pub(super) async fn membership(&self, tenant: &TenantId, user: &UserId) -> Result<Membership> {
        match self.cache.member(&self.records, tenant, user).await? {
            (_, Some(key)) if !self.is_key_usable(tenant, key).await? => Ok(Membership::Removed),
            (membership, _) => Ok(membership),
        }
    }

    /// Returns whether a stored membership applies now.
    pub(super) async fn is_live(&self, member: &MemberBody) -> Result<bool> {
        Ok(match member {
            MemberBody { removed: true, .. } => false,
            MemberBody { key: Some(key), tenant_id, .. } => self.is_key_usable(tenant_id, *key).await?,
            MemberBody { .. } => true,
        })
    }

    /// Changes a user's membership of a tenant in one batch with everything in `batch`. After a conflict with another
    /// change it tries again.
    ///
    /// `change` returns the new membership, given the current one. `None` leaves it unchanged. A tenant without a
    /// document gets one with its first change, because its owners must be counted.
    ///
    /// # Errors
    /// `OP_INVALID` for the last owner, and errors of `change`, as [`CommitError::Refused`]; a failed precondition of
    /// `batch` itself.
    pub(super) async fn set_member(
        &self,
        scope: &Scope,
        tenant: &TenantId,
        user: &UserId,
        batch: Batch,
        change: impl Fn(Option<&MemberBody>) -> Result<Option<MemberBody>>,
    ) -> Result<Option<MemberBody>, CommitError> {
        let refused = CommitError::Refused;
        for _ in 0..MAX_ATTEMPTS {
            let home = self.tenant(tenant).await.map_err(refused)?;
            let id = records::member_id(tenant, user).map_err(refused)?;
            let member = self.records.get::<MemberBody>(&MEMBER, &id).await.map_err(refused)?;
            let live = match member.as_ref().map(|member| &member.body) {
                Some(member) if self.is_live(member).await.map_err(refused)? => Some(member),
                _ => None,
            };
            let Some(next) = change(live).map_err(refused)? else { return Ok(None) };
            let was = live.is_some_and(|member| member.role == Role::Owner);
            let will = !next.removed && next.role == Role::Owner;
            let owners = home.as_ref().map_or(0, |home| home.body.owners);
            if was && !will && owners <= 1 {
                let detail = "the last owner cannot be removed; make another member an owner first";
                return Err(refused(Error::new(Code::OpInvalid, CHANGE, detail)));
            }
            let expect = |version: Option<u64>| version.map_or(Expect::Absent, Expect::Version);
            let version = member.as_ref().map(|member| member.version);
            let mut writes = put_member(batch.clone(), &next, expect(version)).map_err(refused)?;
            if was != will || home.is_none() {
                let version = home.as_ref().map(|home| home.version);
                let mut body = home.map_or_else(|| adopted_tenant(tenant), |home| home.body);
                body.owners = (owners + u32::from(will)).saturating_sub(u32::from(was));
                let id = records::tenant_id(tenant).map_err(refused)?;
                writes = records::put(writes, TENANT, id, &purge::tenant_tags(&body), &body, expect(version))
                    .map_err(refused)?;
            }
            match self.records.commit(scope, writes).await {
                Ok(_) => {
                    self.cache.tenants.invalidate(tenant);
                    self.publish_revocation(Revocation::Member(tenant.clone(), user.clone()));
                    return Ok(Some(next));
                }
                Err(CommitError::Precondition { failed: FailedPrecondition::Document { kind, .. }, .. })
                    if kind == MEMBER || kind == TENANT => {}
                Err(error) => return Err(error),
            }
        }
        Err(refused(conflict_error(CHANGE)))
    }

    /// Makes a user a member with at least this role, in one batch with everything in `batch`. Nothing is written if
    /// the user already is one.
    pub(super) async fn join(
        &self,
        scope: &Scope,
        tenant: &TenantId,
        user: &UserId,
        role: Role,
        batch: Batch,
    ) -> Result<Option<MemberBody>, CommitError> {
        let now = batch.at();
        let change = |live: Option<&MemberBody>| {
            let fresh = |since| {
                let (tenant_id, user_id) = (tenant.clone(), user.clone());
                MemberBody { tenant_id, user_id, role, removed: false, since, key: None }
            };
            Ok(match live {
                Some(member) if member.role >= role && member.key.is_none() => None,
                Some(member) => Some(fresh(member.since)),
                None => Some(fresh(now)),
            })
        };
        self.set_member(scope, tenant, user, batch, change).await
    }
}
