//! Removal of a tenant with all its data. An owner orders it, and a worker carries it out after a grace period.
//!
//! A document with the id of the tenant stays, so that no other tenant gets this id and credentials that still name it
//! are refused.

use std::time::Duration;

use engines_core::{
    Action, Batch, Code, DocId, Error, Principal, RequestContext, Result, TenantId, Timestamp, Trace,
    nexus::{DocumentKind, DocumentQuery, Expect, PageRequest},
};

use super::{
    control_plane::check_not_control_plane,
    documents::{MemberBody, TenantBody, TenantStatus},
    quota::QUOTA,
    records::{self, API_KEY, API_KEY_USE, INVITE, IgnoredBody, MEMBER, TENANT},
    service::Identity,
    wire::TenantView,
};
use crate::revocation::Revocation;

/// The tag of tenants with a pending removal.
pub(super) const PURGE_TAG: &str = "purge";
/// The shortest time between order and removal. It is longer than a request can run that was admitted before the tenant
/// was closed.
const MIN_GRACE: Duration = Duration::from_secs(10);
/// Records removed in one batch.
const RECORDS_PER_PASS: usize = 100;
/// Tenants with a due removal that one pass reads.
const TENANTS_PER_PASS: usize = 500;

const CANCEL: &str = "tenants.purge.cancel";
const FINISH: &str = "tenants.purge.finish";

impl Identity {
    /// Closes the caller's tenant at once, and schedules its removal with all its data at the end of the grace period
    /// in the settings. Until then an owner can cancel it ([`Identity::cancel_purge`]), and the control plane can
    /// cancel it by opening the tenant again.
    ///
    /// # Errors
    /// `NOT_FOUND`; `ROLE_INSUFFICIENT` below owner; `OP_INVALID` for the tenant of the control plane.
    pub async fn purge_tenant(&self, context: &RequestContext, tenant: &TenantId) -> Result<TenantView> {
        let state = &*self.state;
        let resource = format!("tenants/{tenant}");
        let permit = state.authorize(context, tenant, Action::TenantsPurge, &resource).await?;
        check_not_control_plane("tenants.purge", tenant)?;
        let audit = permit.audit_entry(&state.guard, context, resource);
        let due = state.now().plus(Duration::from_secs(state.settings.purge_grace_s).max(MIN_GRACE));
        state
            .change_tenant(context, tenant, audit, true, |body| {
                body.status = TenantStatus::Disabled;
                // A second order does not postpone the removal.
                body.purge_at = Some(body.purge_at.map_or(due, |known| known.min(due)));
            })
            .await
    }

    /// Cancels the removal of a tenant, for one of its owners, and opens the tenant again.
    ///
    /// # Errors
    /// `NOT_FOUND` when no removal is pending, when it has begun, and when the caller is no owner in the store;
    /// `TOKEN_INVALID` for a credential that is not valid any more.
    pub async fn cancel_purge(&self, principal: &Principal, tenant: &TenantId, trace: &Trace) -> Result<TenantView> {
        let state = &*self.state;
        crate::directory::Directory::check(self, principal).await?;
        let nothing = || Error::new(Code::NotFound, CANCEL, "no removal of this tenant is pending that you can cancel");
        let member = records::member_id(tenant, &principal.actor.id)?;
        let member = state.records.get::<MemberBody>(&MEMBER, &member).await?;
        let owner = member.is_some_and(|member| !member.body.removed && member.body.role == engines_core::Role::Owner);
        if principal.restriction.is_some() || !owner {
            return Err(nothing());
        }
        records::retry_on_conflict(CANCEL, || async {
            let found = state.tenant(tenant).await?.ok_or_else(nothing)?;
            if found.body.purge_at.is_none() || found.body.status != TenantStatus::Disabled {
                return Err(nothing());
            }
            let now = state.now();
            let body = TenantBody { status: TenantStatus::Active, purge_at: None, ..found.body };
            let audit = state.audit(now, CANCEL, format!("tenants/{tenant}"), &principal.actor.id, trace);
            let batch = records::put(
                Batch::spanning(now).audit(audit),
                TENANT,
                found.id,
                &[],
                &body,
                Expect::Version(found.version),
            )?;
            if !state.records.try_commit(state.records.system(), batch).await? {
                return Ok(None);
            }
            state.publish_revocation(Revocation::Tenant(tenant.clone()));
            state.tenant_view(tenant).await.map(Some)
        })
        .await
    }

    /// Returns the tenants whose removal is due or has begun, for the worker. A returned tenant cannot be opened again.
    ///
    /// # Errors
    /// Errors of the store.
    pub async fn begin_due_purges(&self) -> Result<Vec<TenantId>> {
        let state = &*self.state;
        let query = DocumentQuery::of_kind(TENANT).tag(PURGE_TAG);
        let mut due = Vec::new();
        for found in state.records.all::<TenantBody>(&query, TENANTS_PER_PASS).await? {
            let now = state.now();
            match found.body.status {
                TenantStatus::Purging => due.push(found.body.tenant_id),
                TenantStatus::Disabled | TenantStatus::Suspended
                    if found.body.purge_at.is_some_and(|purge_at| purge_at <= now) =>
                {
                    let tenant = found.body.tenant_id.clone();
                    let body = TenantBody { status: TenantStatus::Purging, ..found.body };
                    let expect = Expect::Version(found.version);
                    let batch =
                        records::put(Batch::spanning(now), TENANT, found.id, &[PURGE_TAG.to_owned()], &body, expect)?;
                    // False if the removal was cancelled in the meantime.
                    if state.records.try_commit(state.records.system(), batch).await? {
                        due.push(tenant);
                    }
                }
                _ => {}
            }
        }
        Ok(due)
    }

    /// Removes some records about a tenant: memberships, invites, API keys. Returns whether none are left. For the
    /// worker. Sessions belong to users and stay. Tickets expire within the hour.
    ///
    /// # Errors
    /// Errors of the store. Records that were removed before the error stay removed.
    pub async fn remove_tenant_records(&self, tenant: &TenantId) -> Result<bool> {
        let records = &self.state.records;
        let tag = records::tenant_tag(tenant);
        // Memberships that have ended have no tag, but their ids begin with the id of the tenant and a colon.
        let members = (DocId::new(format!("{tenant}:"))?, DocId::new(format!("{tenant}:{}", MEMBER_RANGE_END))?);
        let queries: [(DocumentKind, DocumentQuery); 4] = [
            (MEMBER, DocumentQuery::of_kind(MEMBER).id_range(Some(members.0), Some(members.1))),
            (INVITE, DocumentQuery::of_kind(INVITE).tag(tag.clone())),
            (API_KEY, DocumentQuery::of_kind(API_KEY).tag(tag.clone())),
            (QUOTA, DocumentQuery::of_kind(QUOTA).tag(tag)),
        ];
        for (kind, query) in queries {
            let found = records.page::<IgnoredBody>(&query, PageRequest::first(RECORDS_PER_PASS)).await?.items;
            if found.is_empty() {
                continue;
            }
            let batch = found.into_iter().fold(Batch::spanning(self.state.now()), |batch, found| {
                let batch = batch.delete_system(kind.clone(), found.id.clone(), Expect::Any);
                if kind == API_KEY { batch.delete_system(API_KEY_USE, found.id, Expect::Any) } else { batch }
            });
            records.commit(records.system(), batch).await?;
            self.state.publish_revocation(Revocation::Tenant(tenant.clone()));
            return Ok(false);
        }
        Ok(true)
    }

    /// Records that all data of a tenant was removed. Only its id stays. Writes an audit record of the control plane.
    /// For the worker.
    ///
    /// # Errors
    /// `NOT_FOUND` for a tenant whose removal has not begun; errors of the store.
    pub async fn finish_purge(&self, context: &RequestContext, tenant: &TenantId) -> Result<()> {
        let state = &*self.state;
        let resource = format!("tenants/{tenant}");
        let permit = state.authorize_operator(context, Action::TenantsPurge, &resource).await?;
        let found = state.tenant(tenant).await?.filter(|found| found.body.status == TenantStatus::Purging);
        let found = found.ok_or_else(|| Error::not_found(FINISH, "removal"))?;
        let body = TenantBody {
            tenant_id: tenant.clone(),
            name: String::new(),
            status: TenantStatus::Purged,
            owners: 0,
            purge_at: None,
        };
        let batch = Batch::spanning(state.now()).audit(permit.audit_entry(&state.guard, context, resource));
        let batch = records::put(batch, TENANT, found.id, &[], &body, Expect::Version(found.version))?;
        state.records.commit(state.records.system(), batch).await?;
        state.publish_revocation(Revocation::Tenant(tenant.clone()));
        Ok(())
    }
}

/// Sorts after the user part of every membership id, which begins with `u.` or `h.`.
const MEMBER_RANGE_END: &str = "v";

/// Checks that a tenant is not being removed and was not removed, because it cannot be opened again then.
pub(super) fn check_not_purged(operation: &'static str, body: &TenantBody) -> Result<()> {
    match body.status {
        TenantStatus::Purging | TenantStatus::Purged => Err(Error::new(
            Code::OpInvalid,
            operation,
            "the tenant's data is being removed, or was; it cannot be opened again",
        )),
        _ => Ok(()),
    }
}

/// Returns the tags of a tenant's document.
pub(super) fn tenant_tags(body: &TenantBody) -> Vec<String> {
    body.purge_at.iter().map(|_: &Timestamp| PURGE_TAG.to_owned()).collect()
}
