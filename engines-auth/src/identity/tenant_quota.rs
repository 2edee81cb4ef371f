//! The quota of tenants that one user may own.

use engines_core::{Code, Result, UserId, nexus::DocumentQuery};

use super::{
    documents::MemberBody,
    records::{self, MEMBER},
    state::IdentityState,
};

impl IdentityState {
    /// Checks that a user may own one more tenant.
    ///
    /// # Errors
    /// `QUOTA_EXCEEDED` with the member `limit`.
    pub(super) async fn check_tenant_quota(&self, user: &UserId) -> Result<()> {
        let most = self.settings.tenants_per_user;
        // Only memberships as owner have this tag, so that other memberships cannot hide them.
        let query = DocumentQuery::of_kind(MEMBER).tag(records::owner_tag(user));
        if self.records.all::<MemberBody>(&query, most).await?.len() < most {
            return Ok(());
        }
        let detail = "you own the largest number of tenants that a user may own; ask an operator, or hand one over";
        Err(self.refusal(Code::QuotaExceeded, "tenants.create", detail).with_member("limit", most))
    }
}
