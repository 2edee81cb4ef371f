//! The identity part of a tenant archive: the name of the tenant and its members, by id and role.
//!
//! Users belong to the deployment and not to a tenant, so an archive holds none of their addresses, passwords and
//! sessions. It also holds no invites, API keys and tickets, because the store has only hashes of their secrets.

use engines_core::{
    Action, Batch, Code, Error, RequestContext, Result, Role, TenantId, Timestamp, UserId,
    nexus::{DocumentQuery, Expect, PageRequest},
};

use super::{
    control_plane::SYSTEM_TENANT,
    display_name::validate_name,
    documents::{MemberBody, TenantBody, TenantStatus},
    records::{self, MEMBER, TENANT},
    service::Identity,
    tenants::{adopted_tenant, put_member},
};
use crate::revocation::Revocation;

const EXPORT: &str = "tenants.export";
const IMPORT: &str = "tenants.import";
/// The largest number of members that are restored with a tenant. All of them are written in one batch.
const MAX_MEMBERS: usize = 9000;

/// A member in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchivedMember {
    /// The id of the user.
    pub user_id: UserId,
    /// The role of the member.
    pub role: Role,
    /// The time at which the membership began.
    pub since: Timestamp,
}

/// A tenant in an archive.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ArchivedTenant {
    /// The display name. `None` if the store has no document of the tenant.
    pub name: Option<String>,
    /// The members, ordered by user id. Memberships that have ended are left out, and so are those that last as long as
    /// an API key, because an archive holds no keys.
    pub members: Vec<ArchivedMember>,
}

/// The writes that restore an archived tenant.
#[derive(Debug, Clone)]
pub struct TenantRestoration {
    /// The writes with their audit record, to be committed in the scope of the control plane.
    pub batch: Batch,
    /// The users that become members.
    pub members: Vec<UserId>,
    /// The members that are left out because the store has no such user.
    pub unknown: Vec<UserId>,
}

impl Identity {
    /// Returns the name and the members of the context's tenant, for an archive.
    ///
    /// # Errors
    /// `ROLE_INSUFFICIENT` below owner; `BODY_TOO_LARGE` for more than 9,000 members; errors of the store.
    pub async fn archive_tenant(&self, context: &RequestContext) -> Result<ArchivedTenant> {
        let (state, tenant) = (&*self.state, context.scope().tenant());
        let _permit = state.authorize(context, tenant, Action::TenantsExport, &format!("tenants/{tenant}")).await?;
        let name = state.tenant(tenant).await?.map(|found| found.body.name);
        let query = DocumentQuery::of_kind(MEMBER).tag(records::tenant_tag(tenant));
        let (mut members, mut page) = (Vec::new(), PageRequest::first(500));
        loop {
            let found = state.records.page::<MemberBody>(&query, page).await?;
            let live = found
                .items
                .into_iter()
                .map(|found| found.body)
                .filter(|member| !member.removed && member.key.is_none());
            members.extend(live.map(|MemberBody { user_id, role, since, .. }| ArchivedMember { user_id, role, since }));
            if members.len() > MAX_MEMBERS {
                return Err(too_many_members(EXPORT));
            }
            match found.next {
                Some(next) => page = PageRequest::after(500, next),
                None => break,
            }
        }
        members.sort_by(|one, other| one.user_id.cmp(&other.user_id));
        Ok(ArchivedTenant { name, members })
    }

    /// Prepares the writes that restore a tenant under this id: its document, the memberships of those members that
    /// exist as users in this store, and an audit record. `owner` becomes an additional owner.
    ///
    /// This writes nothing. The caller commits the batch together with the data of the tenant, and then calls
    /// [`Identity::invalidate_restored_tenant`].
    ///
    /// # Errors
    /// `TENANT_FORBIDDEN` outside `t_system`; `ROLE_INSUFFICIENT` below admin; `ALREADY_EXISTS` when the id is taken;
    /// `OP_INVALID` for the tenant of the control plane; `NOT_FOUND` when there is no user `owner`; `BODY_TOO_LARGE`
    /// for more than 9,000 members.
    pub async fn prepare_restore(
        &self,
        context: &RequestContext,
        tenant: &TenantId,
        archived: &ArchivedTenant,
        owner: Option<&UserId>,
    ) -> Result<TenantRestoration> {
        let state = &*self.state;
        let resource = format!("tenants/{tenant}");
        let permit = state.authorize_operator(context, Action::TenantsImport, &resource).await?;
        if tenant.as_str() == SYSTEM_TENANT {
            let detail = "the tenant of the control plane cannot be restored from an archive; restore a backup";
            return Err(Error::new(Code::OpInvalid, IMPORT, detail));
        }
        if archived.members.len() > MAX_MEMBERS {
            return Err(too_many_members(IMPORT));
        }
        self.check_restorable(tenant).await?;
        let now = state.now();
        let mut wanted = archived.members.clone();
        if let Some(owner) = owner {
            if !self.user_exists(owner).await? {
                return Err(Error::new(Code::NotFound, IMPORT, "the user who is to own the tenant does not exist"));
            }
            wanted.retain(|member| member.user_id != *owner);
            wanted.push(ArchivedMember { user_id: owner.clone(), role: Role::Owner, since: now });
        }
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        for member in wanted {
            match self.user_exists(&member.user_id).await? {
                true => known.push(member),
                false => unknown.push(member.user_id),
            }
        }
        let name = match &archived.name {
            Some(name) => validate_name(IMPORT, "/name", name)?,
            None => tenant.to_string(),
        };
        // The document of the tenant counts its owners.
        let owners = known.iter().filter(|member| member.role == Role::Owner).count();
        let owners = u32::try_from(owners).unwrap_or(u32::MAX);
        let body = TenantBody { name, owners, ..adopted_tenant(tenant) };
        let id = records::tenant_id(tenant)?;
        let mut batch = records::put(Batch::spanning(now), TENANT, id, &[], &body, Expect::Absent)?;
        for ArchivedMember { user_id, role, since } in known.iter().cloned() {
            let body = MemberBody { tenant_id: tenant.clone(), user_id, role, removed: false, since, key: None };
            batch = put_member(batch, &body, Expect::Any)?;
        }
        let batch = batch.audit(permit.audit_entry(&state.guard, context, resource));
        let members = known.into_iter().map(|member| member.user_id).collect();
        Ok(TenantRestoration { batch, members, unknown })
    }

    /// Checks that a tenant may be restored under this id. The id of a purged tenant stays reserved.
    ///
    /// # Errors
    /// `ALREADY_EXISTS` when a tenant has the id, or had it and was purged; errors of the store.
    pub async fn check_restorable(&self, tenant: &TenantId) -> Result<()> {
        let Some(found) = self.state.tenant(tenant).await? else { return Ok(()) };
        let detail = match found.body.status {
            TenantStatus::Purging | TenantStatus::Purged => {
                "a tenant with this id was purged, and its id stays reserved; restore under another id"
            }
            _ => "a tenant with this id exists; restore under another id",
        };
        Err(Error::new(Code::AlreadyExists, IMPORT, detail))
    }

    /// Removes a restored tenant from the caches.
    pub fn invalidate_restored_tenant(&self, tenant: &TenantId) {
        self.state.cache.tenants.invalidate(tenant);
        self.state.publish_revocation(Revocation::Tenant(tenant.clone()));
    }

    async fn user_exists(&self, user: &UserId) -> Result<bool> {
        Ok(self.state.user(user).await?.is_some_and(|found| !found.body.deleted && !found.body.is_block_record()))
    }
}

fn too_many_members(operation: &'static str) -> Error {
    let detail = format!("a tenant archive holds up to {MAX_MEMBERS} members");
    Error::new(Code::BodyTooLarge, operation, detail)
}
