//! Members of a tenant.

use engines_core::{
    Action, Batch, Code, Error, RequestContext, Result, Role, TenantId, UserId,
    gate::Permit,
    nexus::{DocumentQuery, Page, PageRequest},
};

use super::{
    actor::api_key_id,
    documents::MemberBody,
    records::{self, MEMBER},
    service::Identity,
    state::IdentityState,
    wire::{MemberView, RoleRequest},
};

const MANAGE: &str = "members.manage";

impl Identity {
    /// Lists the members of a tenant, ordered by user id. A page may hold fewer than the limit, because memberships
    /// that ended with an API key are left out.
    ///
    /// # Errors
    /// `NOT_FOUND` for another tenant; `ROLE_INSUFFICIENT` below admin; `CURSOR_INVALID`.
    pub async fn list_members(
        &self,
        context: &RequestContext,
        tenant: &TenantId,
        page: PageRequest,
    ) -> Result<Page<MemberView>> {
        let state = &*self.state;
        let _permit = state.authorize(context, tenant, Action::MembersList, "members").await?;
        let query = DocumentQuery::of_kind(MEMBER).tag(records::tenant_tag(tenant));
        let found = state.records.page::<MemberBody>(&query, page).await?;
        let mut items = Vec::with_capacity(found.items.len());
        for member in found.items {
            if state.is_live(&member.body).await? {
                items.push(state.member_view(member.body).await?);
            }
        }
        Ok(Page { items, next: found.next })
    }

    /// Changes the role of a member and closes the member's open streams. It takes effect at once on this node and
    /// within 5 s on other nodes. A membership that lasts as long as an API key becomes permanent when a person sets
    /// its role.
    ///
    /// # Errors
    /// `NOT_FOUND` when the user is no member; `OP_INVALID` for the last owner; `ROLE_INSUFFICIENT` below admin, below
    /// owner for a change from or to the role of owner, and with an API key for a higher role than the member has.
    pub async fn change_role(
        &self,
        context: &RequestContext,
        tenant: &TenantId,
        user: &UserId,
        request: RoleRequest,
    ) -> Result<MemberView> {
        let permit = self.state.authorize(context, tenant, Action::MembersManage, &resource(user)).await?;
        let by_key = api_key_id(&context.actor().id).is_some();
        let changed = |live: &MemberBody| {
            if by_key && request.role > live.role {
                // The role would outlast the key.
                let error = Error::new(
                    Code::RoleInsufficient,
                    MANAGE,
                    "an API key cannot raise a role; use the token of a person",
                );
                return Err(self.state.with_decision_id(error.with_member("action", MANAGE)));
            }
            Ok(MemberBody { role: request.role, key: live.key.filter(|_| by_key), ..live.clone() })
        };
        let made = self.update_member(context, tenant, user, permit, changed).await?;
        self.state.member_view(made).await
    }

    /// Removes a member. It takes effect like [`Identity::change_role`].
    ///
    /// # Errors
    /// As [`Identity::change_role`].
    pub async fn remove_member(&self, context: &RequestContext, tenant: &TenantId, user: &UserId) -> Result<()> {
        let permit = self.state.authorize_release(context, tenant, Action::MembersManage)?;
        let removed = |live: &MemberBody| Ok(MemberBody { removed: true, ..live.clone() });
        self.update_member(context, tenant, user, permit, removed).await.map(|_| ())
    }

    /// Ends the caller's own membership. It takes effect like [`Identity::change_role`].
    ///
    /// # Errors
    /// `NOT_FOUND` for a membership that the store does not have; `OP_INVALID` for the last owner.
    pub async fn leave_tenant(&self, context: &RequestContext, tenant: &TenantId) -> Result<()> {
        let (state, user) = (&*self.state, &context.actor().id);
        let permit = state.authorize(context, tenant, Action::TenantsLeave, &resource(user)).await?;
        let batch = Batch::spanning(state.now()).audit(permit.audit_entry(&state.guard, context, resource(user)));
        let change = |live: Option<&MemberBody>| {
            let live = live.ok_or_else(|| Error::not_found(Action::TenantsLeave.spec().name, "member"))?;
            Ok(Some(MemberBody { removed: true, ..live.clone() }))
        };
        state.set_member(context.scope(), tenant, user, batch, change).await?;
        Ok(())
    }

    async fn update_member(
        &self,
        context: &RequestContext,
        tenant: &TenantId,
        user: &UserId,
        permit: Permit,
        next: impl Fn(&MemberBody) -> Result<MemberBody>,
    ) -> Result<MemberBody> {
        let state = &*self.state;
        let batch = Batch::spanning(state.now()).audit(permit.audit_entry(&state.guard, context, resource(user)));
        let change = |live: Option<&MemberBody>| {
            let live = live.ok_or_else(member_not_found)?;
            let next = next(live)?;
            state.check_owner_rule(context, Some(live.role), next.role)?;
            Ok(Some(next))
        };
        let made = state.set_member(context.scope(), tenant, user, batch, change).await?;
        made.ok_or_else(member_not_found)
    }
}

impl IdentityState {
    /// Checks that only owners add, change and remove owners.
    pub(super) fn check_owner_rule(&self, context: &RequestContext, was: Option<Role>, will: Role) -> Result<()> {
        let touches = was == Some(Role::Owner) || will == Role::Owner;
        if touches && context.role() != Role::Owner {
            let error = Error::new(Code::RoleInsufficient, MANAGE, "only owners can add, change or remove owners");
            return Err(self.with_decision_id(error.with_member("action", MANAGE).with_member("least_role", "owner")));
        }
        Ok(())
    }

    async fn member_view(&self, member: MemberBody) -> Result<MemberView> {
        let user = self.user(&member.user_id).await?.map(|user| user.body);
        let email_verified = user.as_ref().is_some_and(|user| user.verified_email().is_some());
        let (display_name, email) = user.map_or((None, None), |user| (user.display_name, user.email));
        Ok(MemberView {
            tenant_id: member.tenant_id,
            user_id: member.user_id,
            role: member.role,
            display_name,
            email,
            email_verified,
            since: member.since,
        })
    }
}

fn resource(user: &UserId) -> String {
    format!("members/{}", records::user_key(user))
}

fn member_not_found() -> Error {
    Error::not_found(MANAGE, "member")
}
