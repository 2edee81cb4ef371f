//! How many tenants one user may make.

use engines_core::{Code, Result, UserId, nexus::DocumentQuery};

use super::{
    documents::MemberBody,
    records::{self, MEMBER},
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
