//! Invites: a token that makes whoever has it a member, once.

use std::time::Duration;

use engines_core::{
    Action, Batch, Code, DocId, Error, Principal, RequestContext, Result, Role, TenantId,
    nexus::{CommitError, Expect, Failed, Page, Paged, Query},
};
use ulid::Ulid;

use super::{
    accounts::taken,
    bodies::{InviteBody, MemberBody},
    email::Address,
    known::{Membership, Standing},
    opaque::Opaque,
    records::{self, INVITE, Stored},
    service::{Identity, Inner},
    wire::{AcceptRequest, Caller, InviteRequest, InviteResponse, InviteView, TokenResponse},
};
use crate::{jwt::invalid, revocation::Revocation};

const ACCEPT: &str = "invites.accept";
const MANAGE: &str = "invites.manage";
const TOKEN: Opaque = Opaque("iv");

impl Identity {
    /// Makes an invite. The token is in the answer and nowhere else; sending it is up to the product.
    ///
    /// # Errors
    /// `BODY_INVALID`; `NOT_FOUND` for another tenant; `ROLE_INSUFFICIENT` below admin, and for anybody but an owner who invites owners;
    /// `QUOTA_EXCEEDED` when too many wait already.
    pub async fn create_invite(
        &self,
        context: &RequestContext,
        tenant: &TenantId,
        request: InviteRequest,
    ) -> Result<InviteResponse> {
        let inner = &*self.inner;
        let permit = inner.admit(context, tenant, Action::InvitesManage, "invites").await?;
        inner.owners_manage_owners(context, None, request.role)?;
        let ttl = request.expires_in.unwrap_or(inner.settings.invite_ttl_s);
        if ttl == 0 || ttl > inner.settings.invite_max_s {
            let detail = format!("an invite is good for 1 to {} seconds", inner.settings.invite_max_s);
            return Err(Error::body(MANAGE, "/expires_in", detail));
        }
        let accounts = inner.accounts()?;
        let email = request.email.map(|email| Address::parse(email.expose())).transpose()?;
        let most = inner.settings.invites_per_tenant;
        let waiting: Vec<Stored<InviteBody>> =
            inner.records.all(&Query::kind(INVITE).tag(records::tenant_tag(tenant)), most).await?;
        if waiting.len() >= most {
            return Err(inner.refuse(Code::QuotaExceeded, MANAGE, "too many invites wait; take some back"));
        }
        let now = inner.now();
        let id = inner.guard.ids().ulid(now);
        let (token, hash) = TOKEN.mint(id, inner.guard.ids());
        let body = InviteBody {
            tenant_id: tenant.clone(),
            role: request.role,
            hash,
            email: email.map(|email| accounts.address_key(email.as_str())),
            invited_by: context.actor().id.clone(),
            expires_at: now.plus(Duration::from_secs(ttl)),
        };
        let tags = [records::tenant_tag(tenant)];
        let batch = Batch::spanning(now).audit(permit.audit(&inner.guard, context, format!("invites/{id}")));
        let batch = records::put(batch, INVITE, id, &tags, &body, Expect::Absent)?;
        inner.records.commit(context.scope(), batch).await?;
        Ok(InviteResponse { token, invite: view(id.to_string(), body) })
    }

    /// A tenant's invites that wait, the oldest first; those that have ended too, until they are swept away.
    ///
    /// # Errors
    /// `NOT_FOUND` for another tenant; `ROLE_INSUFFICIENT` below admin; `CURSOR_INVALID`.
    pub async fn list_invites(
        &self,
        context: &RequestContext,
        tenant: &TenantId,
        page: Page,
    ) -> Result<Paged<InviteView>> {
        let inner = &*self.inner;
        let _permit = inner.admit(context, tenant, Action::MembersList, "invites").await?;
        let query = Query::kind(INVITE).tag(records::tenant_tag(tenant));
        let found = inner.records.page::<InviteBody>(&query, page).await?;
        Ok(found.map(|invite| view(invite.id.to_string(), invite.body)))
    }

    /// Takes an invite back.
    ///
    /// # Errors
    /// `NOT_FOUND`; `ROLE_INSUFFICIENT` below admin.
    pub async fn delete_invite(&self, context: &RequestContext, tenant: &TenantId, invite: &str) -> Result<()> {
        let inner = &*self.inner;
        let permit = inner.admit(context, tenant, Action::InvitesManage, "invites").await?;
        let missing = || Error::not_found(MANAGE, "invite");
        let id = DocId::from(Ulid::from_string(invite).map_err(|_| missing())?);
        let found = inner.records.get::<InviteBody>(&INVITE, &id).await?;
        let found = found.filter(|found| found.body.tenant_id == *tenant).ok_or_else(missing)?;
        let audit = permit.audit(&inner.guard, context, format!("invites/{id}"));
        let batch = Batch::spanning(inner.now()).audit(audit);
        let batch = batch.delete_system(INVITE, found.id, Expect::Version(found.version));
        inner.records.commit(context.scope(), batch).await?;
        Ok(())
    }

    /// Accepts an invite and logs in: as the `principal`, or as somebody new with an address and a password. Both the membership and the end
    /// of the invite, and the account of somebody new, are one batch: of two who accept at the same time, one does.
    ///
    /// # Errors
    /// `TOKEN_INVALID` for what is no invite, was used, is for another address, or was made by somebody who may not make it any more; `TOKEN_EXPIRED`; `ALREADY_EXISTS` for a member, and for
    /// somebody new whose address has an account (log in, then accept); `BODY_INVALID`; `RATE_LIMITED`.
    pub async fn accept_invite(
        &self,
        principal: Option<&Principal>,
        request: AcceptRequest,
        caller: Caller<'_>,
    ) -> Result<TokenResponse> {
        let answer = self.try_accept(principal, request, &caller).await;
        let who = principal.map(|principal| principal.actor.id.as_str());
        answer.inspect_err(|error| self.inner.note(ACCEPT, error, who, &caller))
    }

    async fn try_accept(
        &self,
        principal: Option<&Principal>,
        request: AcceptRequest,
        caller: &Caller<'_>,
    ) -> Result<TokenResponse> {
        let inner = &*self.inner;
        let accounts = inner.accounts()?;
        inner.count_address(caller)?;
        let invite = inner.open_invite(request.token.expose()).await?;
        let now = inner.now();
        let ended = Batch::spanning(now).delete_system(INVITE, invite.id.clone(), Expect::Version(invite.version));
        let for_this = |address: Option<&str>| match &invite.body.email {
            Some(wanted) => address.is_some_and(|address| accounts.address_key(address) == *wanted),
            None => true,
        };
        let (user, generation, batch) = match (principal, request.email, request.password) {
            (Some(principal), None, None) => {
                let account = inner.account_of(self, principal).await?;
                if !for_this(account.body.email.as_deref()) {
                    return Err(unknown());
                }
                (account.body.user_id, account.body.generation, ended)
            }
            (None, Some(email), Some(password)) => {
                if !for_this(Some(email.expose())) {
                    return Err(unknown());
                }
                let mut account = inner.new_account(ACCEPT, email.expose(), &password, request.display_name).await?;
                account.user.default_tenant = Some(invite.body.tenant_id.clone());
                let user = account.user.user_id.clone();
                (user, 0, account.put(ended)?)
            }
            (None, None, None) => {
                return Err(Error::new(Code::TokenMissing, ACCEPT, "log in first, or send email and password"));
            }
            _ => {
                let detail = "send email and password without a token, or a token without them";
                return Err(Error::body(ACCEPT, "/email", detail));
            }
        };
        let InviteBody { tenant_id, role, .. } = &invite.body;
        let mut audit = inner.audit(now, ACCEPT, format!("invites/{}", invite.id), &user, caller.trace);
        audit.reason = Some(format!("{} in {tenant_id}", role.as_str()).into());
        let change = |live: Option<&MemberBody>| match live {
            Some(_) => Err(Error::new(Code::AlreadyExists, ACCEPT, "you are a member of this tenant already")),
            None => {
                let (tenant_id, user_id) = (tenant_id.clone(), user.clone());
                Ok(Some(MemberBody { tenant_id, user_id, role: *role, removed: false, since: now }))
            }
        };
        let joined = inner.set_member(inner.records.system(), tenant_id, &user, batch.audit(audit), change).await;
        joined.map_err(|error| match error {
            CommitError::Precondition { failed: Failed::Document { ref kind, .. }, .. } if *kind == INVITE => unknown(),
            error => taken(ACCEPT, error),
        })?;
        inner.revoked(Revocation::User(user.clone()));
        inner.log_in(&user, generation, caller).await
    }
}

impl Inner {
    /// The invite of a token, if it can still be accepted.
    async fn open_invite(&self, token: &str) -> Result<Stored<InviteBody>> {
        let id = DocId::from(TOKEN.id(token).ok_or_else(unknown)?);
        let invite = self.records.get::<InviteBody>(&INVITE, &id).await?;
        let invite = invite.filter(|invite| invite.body.hash.fits(token)).ok_or_else(unknown)?;
        if self.now() >= invite.body.expires_at {
            return Err(Error::new(Code::TokenExpired, ACCEPT, "the invite has ended; ask for another"));
        }
        let home = self.known.tenant(&self.records, &invite.body.tenant_id).await?;
        if home != Standing::Disabled && self.may_still_invite(&invite.body, home).await? {
            Ok(invite)
        } else {
            Err(unknown())
        }
    }

    /// Whether whoever made an invite may still make it: an admin who was removed must not come back by one of their own. Of somebody the
    /// store does not know, nothing is known now, and it counts what was known then.
    async fn may_still_invite(&self, invite: &InviteBody, home: Standing) -> Result<bool> {
        let InviteBody { tenant_id: tenant, invited_by: maker, .. } = invite;
        // Owners are invited by owners, everybody else by admins.
        let least = invite.role.max(Role::Admin);
        if let Some(key) = crate::api_key::id_of(maker) {
            return Ok(self.usable_api_key(key).await?.is_some_and(|key| key.role >= least));
        }
        let standing = self.known.user(&self.records, maker).await?.standing;
        Ok(match self.known.member(&self.records, tenant, maker).await? {
            _ if standing == Standing::Disabled => false,
            Membership::Role(role) => role >= least,
            Membership::Removed => false,
            // As at the door.
            Membership::Unknown => standing != Standing::Good || home == Standing::Unknown,
        })
    }
}

fn unknown() -> Error {
    invalid("not an invite that can be accepted here and by you; ask for another")
}

fn view(invite_id: String, invite: InviteBody) -> InviteView {
    InviteView {
        invite_id,
        tenant_id: invite.tenant_id,
        role: invite.role,
        for_one_address: invite.email.is_some(),
        invited_by: invite.invited_by,
        expires_at: invite.expires_at,
    }
}
