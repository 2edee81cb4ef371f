//! How many tenants one user may make, and how many keys and invites a tenant may have.

use engines_core::{
    Batch, Code, DocId, Result, TenantId, UserId,
    nexus::{DocumentQuery, Expect},
};
use serde::{Deserialize, Serialize};

use super::{
    documents::MemberBody,
    records::{self, MEMBER, QUOTA},
    service::Inner,
};

impl Inner {
    /// Refuses a user who owns as many tenants as one may.
    ///
    /// # Errors
    /// `QUOTA_EXCEEDED` with the member `limit`.
    pub(super) async fn check_tenant_quota(&self, user: &UserId) -> Result<()> {
        let most = self.settings.tenants_per_user;
        // Memberships of owners alone have this tag, so that no number of other ones hides them.
        let query = DocumentQuery::of_kind(MEMBER).tag(records::owner_tag(user));
        if self.records.all::<MemberBody>(&query, most).await?.len() < most {
            return Ok(());
        }
        let detail = "you own as many tenants as a user may; ask an operator, or hand one over";
        Err(self.refusal(Code::QuotaExceeded, "tenants.create", detail).with_member("limit", most))
    }
}

/// What a tenant has a limited number of.
#[derive(Debug, Clone, Copy)]
pub(crate) enum TenantQuota {
    ApiKeys,
    Invites,
}

/// The right to count, which is lost if somebody else commits something that counts.
#[derive(Debug)]
pub(crate) struct QuotaReservation {
    id: DocId,
    tenant: TenantId,
    expect: Expect,
}

/// The body of a [`QUOTA`] document.
#[derive(Debug, Serialize, Deserialize)]
struct QuotaBody {
    tenant_id: TenantId,
}

impl TenantQuota {
    fn name(self) -> &'static str {
        match self {
            Self::ApiKeys => "api_keys",
            Self::Invites => "invites",
        }
    }
}

impl Inner {
    /// Call before counting. The batch that adds to what was counted takes the reservation with it.
    pub(crate) async fn reserve_quota(&self, tenant: &TenantId, quota: TenantQuota) -> Result<QuotaReservation> {
        let id = DocId::new(format!("{tenant}:{}", quota.name()))?;
        let found = self.records.get::<QuotaBody>(&QUOTA, &id).await?;
        let expect = found.map_or(Expect::Absent, |found| Expect::Version(found.version));
        Ok(QuotaReservation { id, tenant: tenant.clone(), expect })
    }
}

impl QuotaReservation {
    /// Makes `batch` fail with a precondition if anybody else has added to the quota since.
    pub(crate) fn add_to(self, batch: Batch) -> Result<Batch> {
        let tags = [records::tenant_tag(&self.tenant)];
        records::put(batch, QUOTA, self.id, &tags, &QuotaBody { tenant_id: self.tenant }, self.expect)
    }
}
