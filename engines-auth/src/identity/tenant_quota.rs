//! How many tenants one user may make.

use engines_core::{Code, Result, Role, UserId, nexus::Query};

use super::{
    bodies::MemberBody,
    records::{self, MEMBER},
    service::Inner,
};

/// Memberships that are looked at for each tenant a user may own: those that have ended and those of other roles are among them.
const LOOKED_AT: usize = 8;

impl Inner {
    /// Refuses a user who owns as many tenants as one may.
    ///
    /// # Errors
    /// `QUOTA_EXCEEDED` with the member `limit`.
    pub(super) async fn check_tenant_quota(&self, user: &UserId) -> Result<()> {
        let most = self.settings.tenants_per_user;
        let query = Query::kind(MEMBER).tag(records::user_tag(user));
        let memberships =
            self.records.all::<MemberBody>(&query, most.saturating_add(1).saturating_mul(LOOKED_AT)).await?;
        let owned = memberships.iter().filter(|member| member.body.role == Role::Owner && !member.body.removed).count();
        if owned < most {
            return Ok(());
        }
        let detail = "you own as many tenants as a user may; ask an operator, or hand one over";
        Err(self.refuse(Code::QuotaExceeded, "tenants.create", detail).with_member("limit", most))
    }
}
