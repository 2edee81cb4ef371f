//! Tenants, as seen by their members and by the control plane.

use engines_core::{
    Action, Batch, Code, Error, Principal, RequestContext, Result, Role, TenantId, Timestamp, UserId,
    nexus::{DocumentQuery, Expect, Page, PageRequest},
};

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use super::{
    actor::api_key_id,
    control_plane::check_not_control_plane,
    display_name::validate_name,
    documents::{MemberBody, TenantBody, TenantStatus, UserBody},
    purge,
    records::{self, MEMBER, StoredDocument, TENANT, USER},
    service::Identity,
    state::IdentityState,
    wire::{TenantRequest, TenantView},
};
use crate::revocation::Revocation;

/// Memberships of one user that are read.
pub(super) const MAX_MEMBERSHIPS: usize = 500;

const CREATE: &str = "tenants.create";

impl Identity {
    /// Creates a tenant with the caller as its first owner. The caller needs an account here.
    ///
    /// The id consists of the name and a random part, so no user gets an id that has a meaning elsewhere.
    ///
    /// # Errors
    /// `BODY_INVALID` for an invalid name; `QUOTA_EXCEEDED` when the caller owns as many tenants as are allowed;
    /// `TOKEN_INVALID` for a principal without an account here, an API key and a ticket.
    pub async fn create_tenant(
        &self,
        principal: &Principal,
        request: TenantRequest,
        trace: &engines_core::Trace,
    ) -> Result<TenantView> {
        let state = &*self.state;
        let name = validate_name(CREATE, "/name", &request.name)?;
        records::retry_on_conflict(CREATE, || async {
            let user = state.account_of(self, principal).await?;
            state.check_tenant_quota(&user.body.user_id).await?;
            let (tenant, now) = (state.generate_tenant_id(&name)?, state.now());
            let batch = Batch::spanning(now);
            let mut batch = state.put_new_tenant(batch, &tenant, name.clone(), Some(&user.body.user_id))?;
            let audit = state.audit(now, CREATE, format!("tenants/{tenant}"), &user.body.user_id, trace);
            // Always written, so that two tenants created at the same time conflict and are counted.
            let default_tenant = user.body.default_tenant.or_else(|| Some(tenant.clone()));
            let body = UserBody { default_tenant, ..user.body };
            batch = records::put(batch, USER, user.id, &[], &body, Expect::Version(user.version))?;
            // False if the account was changed in the meantime, perhaps by another new tenant.
            if !state.records.try_commit(state.records.system(), batch.audit(audit)).await? {
                return Ok(None);
            }
            state.cache.users.invalidate(&principal.actor.id);
            state.tenant_view(&tenant).await.map(Some)
        })
        .await
    }

    /// Returns the tenant of the context.
    ///
    /// # Errors
    /// `NOT_FOUND` for another tenant, and for a tenant without a document.
    pub async fn get_tenant(&self, context: &RequestContext, tenant: &TenantId) -> Result<TenantView> {
        let _permit = self.state.authorize(context, tenant, Action::TenantsRead, "").await?;
        self.state.tenant_view(tenant).await
    }

    /// Renames the tenant of the context.
    ///
    /// # Errors
    /// `BODY_INVALID`; `NOT_FOUND`; `ROLE_INSUFFICIENT` below admin.
    pub async fn rename_tenant(
        &self,
        context: &RequestContext,
        tenant: &TenantId,
        request: TenantRequest,
    ) -> Result<TenantView> {
        let state = &*self.state;
        let resource = format!("tenants/{tenant}");
        let permit = state.authorize(context, tenant, Action::TenantsUpdate, &resource).await?;
        let name = validate_name("tenants.update", "/name", &request.name)?;
        let audit = permit.audit_entry(&state.guard, context, resource);
        state.change_tenant(context, tenant, audit, false, |body| body.name.clone_from(&name)).await
    }

    /// Closes the tenant of the context for all its members, the caller included. Only the control plane can open it
    /// again.
    ///
    /// # Errors
    /// `NOT_FOUND`; `ROLE_INSUFFICIENT` below owner; `OP_INVALID` for the tenant of the control plane.
    pub async fn disable_tenant(&self, context: &RequestContext, tenant: &TenantId) -> Result<TenantView> {
        let state = &*self.state;
        let resource = format!("tenants/{tenant}");
        let permit = state.authorize(context, tenant, Action::TenantsDisable, &resource).await?;
        check_not_control_plane("tenants.disable", tenant)?;
        let audit = permit.audit_entry(&state.guard, context, resource);
        state.change_tenant(context, tenant, audit, false, |body| body.status = TenantStatus::Disabled).await
    }

    /// Lists all tenants, for the control plane: their ids, names and states, but none of their content.
    ///
    /// # Errors
    /// `TENANT_FORBIDDEN` outside `t_system`; `ROLE_INSUFFICIENT` below admin; `CURSOR_INVALID`.
    pub async fn list_tenants(&self, context: &RequestContext, page: PageRequest) -> Result<Page<TenantView>> {
        let state = &*self.state;
        let _permit = state.authorize_operator(context, Action::TenantsManage, "").await?;
        let found = state.records.page::<TenantBody>(&DocumentQuery::of_kind(TENANT), page).await?;
        Ok(found.map(to_view))
    }

    /// Closes a tenant, for the control plane. It also closes a tenant without a document.
    ///
    /// # Errors
    /// As [`Identity::list_tenants`]; `OP_INVALID` for the tenant of the control plane.
    pub async fn suspend_tenant(&self, context: &RequestContext, tenant: &TenantId) -> Result<TenantView> {
        self.set_status(context, tenant, TenantStatus::Suspended).await
    }

    /// Opens a tenant again, for the control plane. It does not matter who has closed it.
    ///
    /// # Errors
    /// As [`Identity::suspend_tenant`]; `NOT_FOUND`.
    pub async fn resume_tenant(&self, context: &RequestContext, tenant: &TenantId) -> Result<TenantView> {
        self.set_status(context, tenant, TenantStatus::Active).await
    }

    async fn set_status(
        &self,
        context: &RequestContext,
        tenant: &TenantId,
        status: TenantStatus,
    ) -> Result<TenantView> {
        let state = &*self.state;
        let resource = format!("tenants/{tenant}");
        let permit = state
            .authorize_operator_for(context, Action::TenantsManage, &resource, status == TenantStatus::Suspended)
            .await?;
        check_not_control_plane("tenants.manage", tenant)?;
        let audit = permit.audit_entry(&state.guard, context, resource);
        let adopt = status == TenantStatus::Suspended;
        state
            .change_tenant(context, tenant, audit, adopt, |body| {
                body.status = status;
                // Opening a tenant cancels its removal.
                body.purge_at = body.purge_at.filter(|_| status != TenantStatus::Active);
            })
            .await
    }

    /// Disables or enables a user, for the control plane. The credentials of a disabled user are refused and the user's
    /// streams closed. This also works for a user who is known only from tokens minted elsewhere.
    ///
    /// # Errors
    /// As [`Identity::list_tenants`]; `OP_INVALID` for the caller; `NOT_FOUND` for a deleted account, for an API key
    /// (revoke it instead), and when a user is enabled who was never disabled.
    pub async fn set_user_disabled(&self, context: &RequestContext, user: &UserId, disabled: bool) -> Result<()> {
        let state = &*self.state;
        let resource = format!("users/{}", records::user_key(user));
        let permit = state.authorize_operator_for(context, Action::UsersManage, &resource, disabled).await?;
        let missing = || Error::new(Code::NotFound, "users.manage", "no user has this id");
        if disabled && *user == context.actor().id {
            // If the only operator were disabled, no one could enable users.
            return Err(Error::new(
                Code::OpInvalid,
                "users.manage",
                "you cannot disable yourself; another operator can",
            ));
        }
        if api_key_id(user).is_some() {
            return Err(missing());
        }
        records::retry_on_conflict("users.manage", || async {
            let batch = Batch::spanning(state.now()).audit(permit.audit_entry(&state.guard, context, resource.clone()));
            let id = records::user_id(user)?;
            let batch = match state.user(user).await? {
                None if disabled => {
                    let body = UserBody { disabled, ..UserBody::new(user.clone()) };
                    records::put(batch, USER, id, &[], &body, Expect::Absent)?
                }
                None => return Err(missing()),
                Some(found) if found.body.is_block_record() && !found.body.disabled && !disabled => {
                    return Err(missing());
                }
                // The account is deleted. A user of another issuer can still be enabled, because that issuer vouches
                // for it.
                Some(found) if found.body.deleted && found.body.issuer.is_none() => return Err(missing()),
                Some(found) => {
                    // Older credentials stay invalid when the user is enabled again, because a stolen credential may
                    // have been the reason to disable the user.
                    let generation = found.body.generation + 1;
                    let tokens_valid_from = match disabled || !found.body.disabled {
                        true => found.body.tokens_valid_from,
                        false => Some(state.now()),
                    };
                    let deleted = found.body.deleted && disabled;
                    let body = UserBody { disabled, deleted, generation, tokens_valid_from, ..found.body };
                    records::put(batch, USER, id, &[], &body, Expect::Version(found.version))?
                }
            };
            if !state.records.try_commit(context.scope(), batch).await? {
                return Ok(None);
            }
            state.publish_revocation(Revocation::User(user.clone()));
            Ok(Some(()))
        })
        .await
    }
}

impl IdentityState {
    pub(super) async fn tenant(&self, tenant: &TenantId) -> Result<Option<StoredDocument<TenantBody>>> {
        self.records.get(&TENANT, &records::tenant_id(tenant)?).await
    }

    pub(super) async fn tenant_view(&self, tenant: &TenantId) -> Result<TenantView> {
        let found = self.tenant(tenant).await?;
        found.map(to_view).ok_or_else(|| Error::new(Code::NotFound, "tenants.read", "this tenant is not kept here"))
    }

    /// Generates an id: `t_<words of the name>-<8 random characters>`.
    pub(super) fn generate_tenant_id(&self, name: &str) -> Result<TenantId> {
        let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { ' ' };
        // Removes combining marks but keeps their letters. Upper case turns `ß` into `SS`.
        let bare = name.nfkd().filter(|letter| !is_combining_mark(*letter));
        let words: String = bare.flat_map(char::to_uppercase).map(plain).collect();
        let mut slug = words.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-");
        slug.truncate(40);
        let slug = slug.trim_end_matches('-');
        let random = ulid::Ulid::from(u128::from_be_bytes(self.guard.ids().bytes())).to_string().to_ascii_lowercase();
        let random = &random[random.len() - 8..];
        TenantId::new(if slug.is_empty() { format!("t_{random}") } else { format!("t_{slug}-{random}") })
    }

    /// Adds a new tenant to a batch, with its owner if it has one.
    pub(super) fn put_new_tenant(
        &self,
        batch: Batch,
        tenant: &TenantId,
        name: String,
        owner: Option<&UserId>,
    ) -> Result<Batch> {
        let (now, owners) = (batch.at(), u32::from(owner.is_some()));
        let body = TenantBody { tenant_id: tenant.clone(), name, status: TenantStatus::Active, owners, purge_at: None };
        let batch = records::put(batch, TENANT, records::tenant_id(tenant)?, &[], &body, Expect::Absent)?;
        let Some(owner) = owner else { return Ok(batch) };
        let member = MemberBody {
            tenant_id: tenant.clone(),
            user_id: owner.clone(),
            role: Role::Owner,
            removed: false,
            since: now,
            key: None,
        };
        put_member(batch, &member, Expect::Absent)
    }

    /// Changes a tenant. After a conflict with another change it tries again. With `adopt`, a tenant without a document
    /// gets one.
    pub(super) async fn change_tenant(
        &self,
        context: &RequestContext,
        tenant: &TenantId,
        audit: Option<engines_core::audit::AuditEntry>,
        adopt: bool,
        change: impl Fn(&mut TenantBody),
    ) -> Result<TenantView> {
        records::retry_on_conflict("tenants.change", || async {
            let (now, found) = (self.now(), self.tenant(tenant).await?);
            let (mut body, created_at, expect) = match found {
                Some(found) => (found.body, found.created_at, Expect::Version(found.version)),
                None if adopt => (adopted_tenant(tenant), now, Expect::Absent),
                None => return Err(Error::new(Code::NotFound, "tenants.change", "this tenant is not kept here")),
            };
            purge::check_not_purged("tenants.change", &body)?;
            change(&mut body);
            let batch = Batch::spanning(now).audit(audit.clone());
            let batch =
                records::put(batch, TENANT, records::tenant_id(tenant)?, &purge::tenant_tags(&body), &body, expect)?;
            if !self.records.try_commit(context.scope(), batch).await? {
                return Ok(None);
            }
            self.publish_revocation(Revocation::Tenant(tenant.clone()));
            Ok(Some(view_of_body(body, created_at)))
        })
        .await
    }

    /// Returns the account of a person who calls with a token of their own.
    pub(super) async fn account_of(
        &self,
        directory: &Identity,
        principal: &Principal,
    ) -> Result<StoredDocument<UserBody>> {
        crate::directory::Directory::check(directory, principal).await?;
        let account = match &principal.restriction {
            Some(_) => None,
            None => {
                let usable = |user: &StoredDocument<UserBody>| !user.body.disabled && !user.body.is_block_record();
                self.user(&principal.actor.id).await?.filter(usable)
            }
        };
        account.ok_or_else(|| crate::jwt::invalid_token("this needs the token of a person who has an account here"))
    }
}

/// Adds a membership to a batch. A membership that has ended gets no tags, so no list contains it.
pub(super) fn put_member(batch: Batch, member: &MemberBody, expect: Expect) -> Result<Batch> {
    let id = records::member_id(&member.tenant_id, &member.user_id)?;
    let tags = match member.removed {
        true => Vec::new(),
        false => vec![records::tenant_tag(&member.tenant_id), records::user_tag(&member.user_id)],
    };
    let owned = (!member.removed && member.role == Role::Owner).then(|| records::owner_tag(&member.user_id));
    let tags: Vec<_> = tags.into_iter().chain(owned).collect();
    records::put(batch, MEMBER, id, &tags, member, expect)
}

/// Returns the document of a tenant that had none.
pub(super) fn adopted_tenant(tenant: &TenantId) -> TenantBody {
    let name = tenant.to_string();
    TenantBody { tenant_id: tenant.clone(), name, status: TenantStatus::Active, owners: 0, purge_at: None }
}

pub(super) fn to_view(tenant: StoredDocument<TenantBody>) -> TenantView {
    view_of_body(tenant.body, tenant.created_at)
}

fn view_of_body(tenant: TenantBody, created_at: Timestamp) -> TenantView {
    let TenantBody { tenant_id, name, status, purge_at, .. } = tenant;
    TenantView { tenant_id, name, status, purge_at, created_at }
}
