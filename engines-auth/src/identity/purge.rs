//! Removing a tenant with all its data: asked for by an owner, carried out by a worker after a grace period.
//!
//! What is left at the end is a document with the tenant's id, so that no other tenant gets this id, and credentials that
//! still name it are refused.

use std::time::Duration;

use engines_core::{
    Action, Batch, Code, DocId, Error, Principal, RequestContext, Result, TenantId, Timestamp, Trace,
    nexus::{CommitError, DocumentKind, DocumentQuery, Expect, FailedPrecondition, PageRequest},
};
use serde::Deserialize;

use super::{
    documents::{MemberBody, TenantBody, TenantStatus},
    quota::QUOTA,
    records::{self, API_KEY, API_KEY_USE, INVITE, MEMBER, TENANT},
    service::Identity,
    tenants::{MAX_ATTEMPTS, check_not_control_plane, conflict_error},
    wire::TenantView,
};
use crate::revocation::Revocation;

/// The label of tenants that are to be removed.
pub(super) const PURGE_TAG: &str = "purge";
/// Time between the order and the removal at the least: longer than anybody can go on who was let in before the tenant was closed.
const MIN_GRACE: Duration = Duration::from_secs(10);
/// Records removed in one batch.
const RECORDS_PER_PASS: usize = 100;
/// Tenants whose removal is due that are looked at in one pass.
const TENANTS_PER_PASS: usize = 500;

const CANCEL: &str = "tenants.purge.cancel";
const FINISH: &str = "tenants.purge.finish";

/// All that is looked at: nothing, for it goes by the id.
#[derive(Deserialize)]
struct IgnoredBody {}

impl Identity {
    /// Closes one's own tenant at once, and has it removed with all its data once the grace period of the settings is over. Until then an owner
    /// can call it off ([`Identity::cancel_purge`]), and the control plane can by opening the tenant again.
    ///
    /// # Errors
    /// `NOT_FOUND`, `ROLE_INSUFFICIENT` below owner, `OP_INVALID` for the control plane's own.
    pub async fn purge_tenant(&self, context: &RequestContext, tenant: &TenantId) -> Result<TenantView> {
        let inner = &*self.inner;
        let resource = format!("tenants/{tenant}");
        let permit = inner.authorize(context, tenant, Action::TenantsPurge, &resource).await?;
        check_not_control_plane("tenants.purge", tenant)?;
        let audit = permit.audit_entry(&inner.guard, context, resource);
        let due = inner.now().plus(Duration::from_secs(inner.settings.purge_grace_s).max(MIN_GRACE));
        inner
            .change_tenant(context, tenant, audit, true, |body| {
                body.status = TenantStatus::Disabled;
                // Asking again does not put it off.
                body.purge_at = Some(body.purge_at.map_or(due, |known| known.min(due)));
            })
            .await
    }

    /// Calls the removal of a tenant off, for one of its owners, and opens it again.
    ///
    /// # Errors
    /// `NOT_FOUND` when no removal is pending (or has begun), and for anybody but an owner by the store's word; `TOKEN_INVALID` for a
    /// credential that is not good any more.
    pub async fn cancel_purge(&self, principal: &Principal, tenant: &TenantId, trace: &Trace) -> Result<TenantView> {
        let inner = &*self.inner;
        crate::directory::Directory::check(self, principal).await?;
        let nothing =
            || Error::new(Code::NotFound, CANCEL, "no removal of this tenant is pending that you could call off");
        let member = records::member_id(tenant, &principal.actor.id)?;
        let member = inner.records.get::<MemberBody>(&MEMBER, &member).await?;
        let owner = member.is_some_and(|member| !member.body.removed && member.body.role == engines_core::Role::Owner);
        if principal.restriction.is_some() || !owner {
            return Err(nothing());
        }
        for _ in 0..MAX_ATTEMPTS {
            let found = inner.tenant(tenant).await?.ok_or_else(nothing)?;
            if found.body.purge_at.is_none() || found.body.status != TenantStatus::Disabled {
                return Err(nothing());
            }
            let now = inner.now();
            let body = TenantBody { status: TenantStatus::Active, purge_at: None, ..found.body };
            let audit = inner.audit(now, CANCEL, format!("tenants/{tenant}"), &principal.actor.id, trace);
            let batch = records::put(
                Batch::spanning(now).audit(audit),
                TENANT,
                found.id,
                &[],
                &body,
                Expect::Version(found.version),
            )?;
            match inner.records.commit(inner.records.system(), batch).await {
                Ok(_) => {
                    inner.publish_revocation(Revocation::Tenant(tenant.clone()));
                    return inner.tenant_view(tenant).await;
                }
                Err(CommitError::Precondition { failed: FailedPrecondition::Document { .. }, .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(conflict_error(CANCEL))
    }

    /// The tenants whose removal is due, or has begun; for the worker. From the moment this returns a tenant it cannot be opened again.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn begin_due_purges(&self) -> Result<Vec<TenantId>> {
        let inner = &*self.inner;
        let query = DocumentQuery::of_kind(TENANT).tag(PURGE_TAG);
        let mut due = Vec::new();
        for found in inner.records.all::<TenantBody>(&query, TENANTS_PER_PASS).await? {
            let now = inner.now();
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
                    match inner.records.commit(inner.records.system(), batch).await {
                        Ok(_) => due.push(tenant),
                        // It was called off in this moment.
                        Err(CommitError::Precondition { .. }) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                _ => {}
            }
        }
        Ok(due)
    }

    /// Removes some records about a tenant: memberships, invites, API keys. Returns whether there are none left; for the worker. Sessions belong to
    /// persons and stay; tickets end by themselves within the hour.
    ///
    /// # Errors
    /// Failures of the store; what was removed stays so.
    pub async fn remove_tenant_records(&self, tenant: &TenantId) -> Result<bool> {
        let records = &self.inner.records;
        let tag = records::tenant_tag(tenant);
        // Memberships that have ended carry no label, but their ids begin with the tenant's, and a colon.
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
            let batch = found.into_iter().fold(Batch::spanning(self.inner.now()), |batch, found| {
                let batch = batch.delete_system(kind.clone(), found.id.clone(), Expect::Any);
                if kind == API_KEY { batch.delete_system(API_KEY_USE, found.id, Expect::Any) } else { batch }
            });
            records.commit(records.system(), batch).await?;
            self.inner.publish_revocation(Revocation::Tenant(tenant.clone()));
            return Ok(false);
        }
        Ok(true)
    }

    /// Notes that everything of a tenant was removed: what stays is its id. The control plane's audit log gets a record; for the worker.
    ///
    /// # Errors
    /// `NOT_FOUND` for a tenant whose removal has not begun; failures of the store.
    pub async fn finish_purge(&self, context: &RequestContext, tenant: &TenantId) -> Result<()> {
        let inner = &*self.inner;
        let resource = format!("tenants/{tenant}");
        let permit = inner.authorize_operator(context, Action::TenantsPurge, &resource).await?;
        let found = inner.tenant(tenant).await?.filter(|found| found.body.status == TenantStatus::Purging);
        let found = found.ok_or_else(|| Error::not_found(FINISH, "removal"))?;
        let body = TenantBody {
            tenant_id: tenant.clone(),
            name: String::new(),
            status: TenantStatus::Purged,
            owners: 0,
            purge_at: None,
        };
        let batch = Batch::spanning(inner.now()).audit(permit.audit_entry(&inner.guard, context, resource));
        let batch = records::put(batch, TENANT, found.id, &[], &body, Expect::Version(found.version))?;
        inner.records.commit(inner.records.system(), batch).await?;
        inner.publish_revocation(Revocation::Tenant(tenant.clone()));
        Ok(())
    }
}

/// Behind every user's part of a membership's id, which begins with `u.` or `h.`.
const MEMBER_RANGE_END: &str = "v";

/// A tenant that is being removed, or was, is not opened again.
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

/// The labels of a tenant's document.
pub(super) fn tenant_tags(body: &TenantBody) -> Vec<String> {
    body.purge_at.iter().map(|_: &Timestamp| PURGE_TAG.to_owned()).collect()
}
