//! A user's own memberships in pages, tenants that the user owns first, and the default tenant.

use std::collections::BTreeMap;

use engines_core::{
    Batch, Code, Principal, Result, Role, TenantId, Trace, UserId,
    nexus::{DocumentQuery, Expect, Page, PageRequest, PageToken},
};

use super::{
    documents::{MemberBody, TenantStatus, UserBody},
    records::{self, MEMBER, USER},
    service::Identity,
    state::IdentityState,
    tenants::{MAX_MEMBERSHIPS, to_view},
    wire::{DefaultTenantRequest, MeResponse, MembershipView, TenantView},
};
use crate::directory::Directory;

/// Memberships in a response that is not a page.
pub(super) const FIRST_PAGE_SIZE: usize = 50;

const LIST: &str = "memberships";
const DEFAULT: &str = "accounts.default_tenant";

/// The subject whose memberships are listed.
#[derive(Clone, Copy)]
pub(super) enum MembershipSubject<'a> {
    /// A user: the memberships in the store.
    User(&'a UserId),
    /// A principal: the memberships in the store, and those that the principal claims and the store does not
    /// contradict.
    Principal(&'a Identity, &'a Principal),
}

impl Identity {
    /// Lists the caller's own memberships: tenants that the caller owns first, then by tenant id.
    ///
    /// # Errors
    /// `TOKEN_INVALID` for a disabled user; `CURSOR_INVALID`.
    pub async fn list_memberships(&self, principal: &Principal, page: PageRequest) -> Result<Page<MembershipView>> {
        self.check(principal).await?;
        self.state.membership_page(MembershipSubject::Principal(self, principal), &page).await
    }

    /// Sets the tenant of requests that name none. Only the user can set it. It takes effect at once on this node and
    /// within 5 s on other nodes.
    ///
    /// # Errors
    /// `TENANT_FORBIDDEN` when the caller is no member of the tenant; `TOKEN_INVALID` for a principal without an
    /// account here.
    pub async fn set_default_tenant(
        &self,
        principal: &Principal,
        request: DefaultTenantRequest,
        trace: &Trace,
    ) -> Result<MeResponse> {
        let state = &*self.state;
        records::retry_on_conflict(DEFAULT, || async {
            let now = state.now();
            let user = state.account_of(self, principal).await?;
            let role = self.role(principal, &request.tenant_id, None).await?;
            if role.is_none() {
                return Err(state.refusal(Code::TenantForbidden, DEFAULT, "you are not a member of this tenant"));
            }
            let body = UserBody { default_tenant: Some(request.tenant_id.clone()), ..user.body };
            let resource = format!("users/{}", records::user_key(&body.user_id));
            let audit = state.audit(now, DEFAULT, resource, &body.user_id, trace);
            let batch = Batch::spanning(now).audit(audit);
            let batch = records::put(batch, USER, user.id, &[], &body, Expect::Version(user.version))?;
            if !state.records.try_commit(state.records.system(), batch).await? {
                return Ok(None);
            }
            state.cache.users.invalidate(&body.user_id);
            self.me(principal).await.map(Some)
        })
        .await
    }
}

impl IdentityState {
    /// Returns the first page of memberships, for responses that show some of them.
    pub(super) async fn first_memberships(&self, subject: MembershipSubject<'_>) -> Result<Page<MembershipView>> {
        self.membership_page(subject, &PageRequest::first(FIRST_PAGE_SIZE)).await
    }

    /// Returns a page of memberships in open tenants. It reads at most [`MAX_MEMBERSHIPS`] with the role of owner and
    /// as many others.
    async fn membership_page(
        &self,
        subject: MembershipSubject<'_>,
        page: &PageRequest,
    ) -> Result<Page<MembershipView>> {
        let after = page.after.as_deref().map(|after| PageToken::decode::<2>(LIST, after)).transpose()?;
        let mut known = BTreeMap::new();
        let user = match subject {
            MembershipSubject::User(user) => Some(user),
            MembershipSubject::Principal(_, principal) => {
                principal.restriction.is_none().then_some(&principal.actor.id)
            }
        };
        if let Some(user) = user {
            // Memberships as owner are read separately, so that many others cannot displace them.
            for tag in [records::owner_tag(user), records::user_tag(user)] {
                let query = DocumentQuery::of_kind(MEMBER).tag(tag);
                for member in self.records.all::<MemberBody>(&query, MAX_MEMBERSHIPS).await? {
                    if self.is_live(&member.body).await? {
                        known.insert(member.body.tenant_id, (member.body.role, true));
                    }
                }
            }
        }
        if let MembershipSubject::Principal(_, principal) = subject {
            for (tenant, claimed) in &principal.memberships {
                known.entry(tenant.clone()).or_insert((*claimed, false));
            }
        }
        let rank = |role: Role| if role == Role::Owner { "0" } else { "1" };
        let mut all: Vec<_> = known.into_iter().map(|(tenant, (role, stored))| (tenant, role, stored)).collect();
        all.sort_by(|left, right| (rank(left.1), &left.0).cmp(&(rank(right.1), &right.0)));
        let behind = |tenant: &TenantId, role: Role| {
            after.as_ref().is_none_or(|[place, last]| (rank(role), tenant.as_str()) > (place.as_str(), last.as_str()))
        };
        let limit = page.limit.max(1);
        let mut items = Vec::new();
        for (tenant_id, role, stored) in all {
            if items.len() > limit {
                break;
            }
            if !behind(&tenant_id, role) {
                continue;
            }
            let tenant = self.tenant(&tenant_id).await?;
            let role = match subject {
                MembershipSubject::Principal(directory, principal) if !stored => {
                    directory.role(principal, &tenant_id, Some(role)).await?
                }
                _ => tenant.as_ref().filter(|tenant| tenant.body.status == TenantStatus::Active).map(|_| role),
            };
            if let Some(role) = role {
                items.push(MembershipView { tenant_id, name: tenant.map(|tenant| tenant.body.name), role });
            }
        }
        Ok(Page::from_lookahead(items, limit, |last| {
            PageToken::new(LIST, [rank(last.role).to_owned(), last.tenant_id.to_string()])
        }))
    }

    /// Returns the role in the store that a user has in an open tenant.
    pub(super) async fn stored_role(&self, user: &UserId, tenant: &TenantId) -> Result<Option<Role>> {
        let member = self.records.get::<MemberBody>(&MEMBER, &records::member_id(tenant, user)?).await?;
        let Some(member) = member else { return Ok(None) };
        if !self.is_live(&member.body).await? {
            return Ok(None);
        }
        let open = self.tenant(tenant).await?.is_some_and(|home| home.body.status == TenantStatus::Active);
        Ok(open.then_some(member.body.role))
    }

    /// Returns the tenant that a user has chosen, if the user is still a member of it. Without one, requests must name
    /// the tenant.
    pub(super) async fn chosen_tenant(
        &self,
        subject: MembershipSubject<'_>,
        chosen: Option<&TenantId>,
    ) -> Result<Option<(TenantView, Role)>> {
        let Some(chosen) = chosen else { return Ok(None) };
        let role = match subject {
            MembershipSubject::User(user) => self.stored_role(user, chosen).await?,
            MembershipSubject::Principal(directory, principal) => {
                directory.role(principal, chosen, principal.memberships.get(chosen).copied()).await?
            }
        };
        let Some(role) = role else { return Ok(None) };
        Ok(self.tenant(chosen).await?.map(|tenant| (to_view(tenant), role)))
    }
}
