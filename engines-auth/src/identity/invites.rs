//! Invites: they make a user a member, once the user accepts.
//!
//! An invite is for a user id, for an address, or for the holder of its token. The token that the inviter gets verifies
//! no address. A mailed token verifies the address that it was mailed to.

use std::time::Duration;

use engines_core::{
    Action, Batch, Code, DocId, Error, Principal, RequestContext, Result, Role, TenantId, UserId,
    nexus::{CommitError, DocumentQuery, Expect, FailedPrecondition, Page, PageRequest},
};
use ulid::Ulid;

use super::{
    actor::api_key_id,
    addresses::{AddressChange, NewAccount, map_address_conflict},
    directory_cache::{DirectoryStatus, Membership},
    documents::{InviteBody, MemberBody},
    email_address::EmailAddress,
    mail_queue::MailJob,
    opaque_token::{OpaqueTokenKind, TokenHash},
    own_invites::Requester,
    quota::Quota,
    records::{self, EMAIL, INVITE, StoredDocument, USER},
    service::Identity,
    state::IdentityState,
    wire::{AcceptRequest, AcceptResponse, Caller, InviteRequest, InviteResponse, InviteView, Invited, MemberRequest},
};
use crate::{jwt::invalid_token, revocation::Revocation, secret::SecretText};

const ACCEPT: &str = "invites.accept";
const MANAGE: &str = "invites.manage";
const INVITE_TOKEN: OpaqueTokenKind = OpaqueTokenKind("iv");

const DAY_S: u64 = 24 * 3600;

/// The recipient of an invite.
enum Invitee {
    User(UserId),
    Address(EmailAddress),
    Anybody,
}

impl Identity {
    /// Creates an invite. The response is the only place that holds the token. If the request has an address and there
    /// is a mailer, another token is mailed there. `send: false` in the request prevents this, for products that send
    /// their own mail.
    ///
    /// # Errors
    /// `BODY_INVALID`; `NOT_FOUND` for another tenant; `ROLE_INSUFFICIENT` below admin, for callers below owner who
    /// invite an owner, and with an API key for the role of admin and above; `QUOTA_EXCEEDED` when the tenant has too
    /// many open invites; `RATE_LIMITED`.
    pub async fn create_invite(
        &self,
        context: &RequestContext,
        tenant: &TenantId,
        request: InviteRequest,
    ) -> Result<InviteResponse> {
        let state = &*self.state;
        let permit = state.authorize(context, tenant, Action::InvitesManage, "invites").await?;
        state.check_owner_rule(context, None, request.role)?;
        let ttl = request.expires_in.unwrap_or(state.settings.invite_ttl_s);
        if ttl == 0 || ttl > state.settings.invite_max_s {
            let detail = format!("an invite is valid for 1 to {} seconds", state.settings.invite_max_s);
            return Err(Error::invalid_body(MANAGE, "/expires_in", detail));
        }
        state.accounts()?;
        let invitee = match request.email {
            Some(email) => Invitee::Address(EmailAddress::parse(email.expose())?),
            None => Invitee::Anybody,
        };
        let id = state.guard.ids().ulid(state.now());
        let (token, hash) = INVITE_TOKEN.mint(id, state.guard.ids());
        let made = NewInvite { id, role: request.role, ttl, hash: Some(hash), send: request.send };
        let invite = state.put_invite(context, tenant, &permit, invitee, made).await?;
        Ok(InviteResponse { token, invite: to_view(id.to_string(), invite) })
    }

    /// Invites a user by id or by address. No user is looked up, so the response is the same whether the user exists or
    /// not. The user becomes a member by accepting, see [`Identity::own_invites`]. An open invite for the same user or
    /// address is replaced. With a mailer, an address gets a mail with a token.
    ///
    /// # Errors
    /// `BODY_INVALID` unless exactly one of the two is given; `NOT_FOUND` for another tenant, and for an address in a
    /// deployment without accounts; `ROLE_INSUFFICIENT` as for [`Identity::create_invite`]; `QUOTA_EXCEEDED`;
    /// `RATE_LIMITED`.
    pub async fn add_member(
        &self,
        context: &RequestContext,
        tenant: &TenantId,
        request: MemberRequest,
    ) -> Result<Invited> {
        let state = &*self.state;
        let permit = state.authorize(context, tenant, Action::InvitesManage, "invites").await?;
        let invitee = match (request.user_id, request.email) {
            (Some(user), None) => Invitee::User(user),
            (None, Some(email)) => {
                state.accounts()?;
                Invitee::Address(EmailAddress::parse(email.expose())?)
            }
            _ => return Err(Error::invalid_body(MANAGE, "/user_id", "give either user_id or email")),
        };
        state.check_owner_rule(context, None, request.role)?;
        let id = state.guard.ids().ulid(state.now());
        let made = NewInvite { id, role: request.role, ttl: state.settings.invite_ttl_s, hash: None, send: true };
        state.put_invite(context, tenant, &permit, invitee, made).await?;
        Ok(Invited::default())
    }

    /// Lists the invites of a tenant, the oldest first. Expired ones are included until they are removed.
    ///
    /// # Errors
    /// `NOT_FOUND` for another tenant; `ROLE_INSUFFICIENT` below admin; `CURSOR_INVALID`.
    pub async fn list_invites(
        &self,
        context: &RequestContext,
        tenant: &TenantId,
        page: PageRequest,
    ) -> Result<Page<InviteView>> {
        let state = &*self.state;
        let _permit = state.authorize(context, tenant, Action::MembersList, "invites").await?;
        let query = DocumentQuery::of_kind(INVITE).tag(records::tenant_tag(tenant));
        let found = state.records.page::<InviteBody>(&query, page).await?;
        Ok(found.map(|invite| to_view(invite.id.to_string(), invite.body)))
    }

    /// Deletes an invite. Only owners may delete an invite for the role of owner.
    ///
    /// # Errors
    /// `NOT_FOUND`; `ROLE_INSUFFICIENT` below admin, and below owner for an invite for the role of owner.
    pub async fn delete_invite(&self, context: &RequestContext, tenant: &TenantId, invite: &str) -> Result<()> {
        let state = &*self.state;
        let permit = state.authorize_release(context, tenant, Action::InvitesManage)?;
        let missing = || Error::not_found(MANAGE, "invite");
        let id = DocId::from(Ulid::from_string(invite).map_err(|_| missing())?);
        let found = state.records.get::<InviteBody>(&INVITE, &id).await?;
        let found = found.filter(|found| found.body.tenant_id == *tenant).ok_or_else(missing)?;
        state.check_owner_rule(context, Some(found.body.role), Role::Viewer)?;
        let audit = permit.audit_entry(&state.guard, context, format!("invites/{id}"));
        let batch = Batch::spanning(state.now()).audit(audit);
        let batch = batch.delete_system(INVITE, found.id, Expect::Version(found.version));
        state.records.commit(context.scope(), batch).await?;
        Ok(())
    }

    /// Accepts an invite, by its token, or by its id if it is addressed to the caller ([`Identity::own_invites`]). The
    /// caller is the `principal`, or a new user with a token, an address and a password. The membership, the end of the
    /// invite and the new account are written in one batch, so that of two concurrent calls one succeeds.
    ///
    /// A user with an account here is logged in. Other users keep the token that they have. The token of a mailed
    /// invite verifies its address.
    ///
    /// # Errors
    /// `TOKEN_INVALID` when the token is unknown, was used, is for another address, or was created by a user who may
    /// not invite any more; `NOT_FOUND` for an id of an invite that is not addressed to the caller; `TOKEN_EXPIRED`;
    /// `ALREADY_EXISTS` for a member, and for a new user whose address has an account (log in, then accept);
    /// `BODY_INVALID`; `RATE_LIMITED`.
    pub async fn accept_invite(
        &self,
        principal: Option<&Principal>,
        request: AcceptRequest,
        caller: Caller<'_>,
    ) -> Result<AcceptResponse> {
        let answer = self.try_accept(principal, request, &caller).await;
        let who = principal.map(|principal| principal.actor.id.as_str());
        answer.inspect_err(|error| self.state.record_failure(ACCEPT, error, who, &caller))
    }

    async fn try_accept(
        &self,
        principal: Option<&Principal>,
        request: AcceptRequest,
        caller: &Caller<'_>,
    ) -> Result<AcceptResponse> {
        let state = &*self.state;
        state.charge_address(caller)?;
        let requester = match principal {
            Some(principal) => Some(state.requester(self, principal).await?),
            None => None,
        };
        let (invite, mailed) = match (&request.token, &request.invite_id) {
            (Some(token), None) => state.find_invite(token.expose()).await?,
            (None, Some(invite)) => {
                let log_in = || Error::new(Code::TokenMissing, ACCEPT, "log in first, or send the invite's token");
                let requester = requester.as_ref().ok_or_else(log_in)?;
                (state.own_invite(ACCEPT, requester, invite).await?, false)
            }
            _ => return Err(Error::invalid_body(ACCEPT, "/token", "give either token or invite_id")),
        };
        state.check_open(&invite).await?;
        let (user, generation) = match (requester, request.email, request.password) {
            (Some(requester), None, None) => {
                state.accept_as_existing(&invite, mailed, &requester, caller).await?;
                // Users of other issuers, and users known only from tokens minted elsewhere, have no sessions here.
                let account = requester.account.map(|account| account.body);
                let here = account.filter(|account| account.issuer.is_none() && account.password.is_some());
                (requester.user_id, here.map(|account| account.generation))
            }
            (None, Some(email), Some(password)) => {
                // A new user cannot accept an invite for a user id.
                if !state.is_addressed_to(&invite.body, None, Some(email.expose()))? {
                    return Err(invite_not_found());
                }
                let mut account =
                    state.new_account(ACCEPT, email.expose(), &password, request.display_name, caller).await?;
                account.user.default_tenant = Some(invite.body.tenant_id.clone());
                let user = account.user.user_id.clone();
                state.join_with(&invite, &user, JoinMethod::New(&account, mailed), caller).await?;
                if !mailed {
                    state.enqueue_mail(MailJob::Verify { user: user.clone(), key: account.key });
                }
                (user, Some(0))
            }
            (None, None, None) => {
                return Err(Error::new(Code::TokenMissing, ACCEPT, "log in first, or send email and password"));
            }
            _ => {
                let detail = "send email and password without a token, or a token without them";
                return Err(Error::invalid_body(ACCEPT, "/email", detail));
            }
        };
        state.publish_revocation(Revocation::User(user.clone()));
        match (generation, principal) {
            // The generation that was read: a concurrent change of the password ends this session too.
            (Some(generation), _) if state.accounts().is_ok() => {
                let tokens = state.start_session(&user, generation, caller).await?;
                Ok(AcceptResponse::Tokens(Box::new(tokens)))
            }
            (_, Some(principal)) => Ok(AcceptResponse::Me(Box::new(self.me(principal).await?))),
            (_, None) => Err(invite_not_found()),
        }
    }
}

/// The way in which a user joins.
enum JoinMethod<'a> {
    /// With a new account. The flag says whether the invite verifies its address.
    New(&'a NewAccount, bool),
    /// As an existing user.
    Existing,
    /// As an existing user whose address the invite verifies.
    ProvingAddress(&'a str),
}

/// An invite that is about to be created.
struct NewInvite {
    id: Ulid,
    role: Role,
    ttl: u64,
    /// The hash of the token for the inviter.
    hash: Option<TokenHash>,
    /// Whether a mail is sent to the address.
    send: bool,
}

impl IdentityState {
    async fn put_invite(
        &self,
        context: &RequestContext,
        tenant: &TenantId,
        permit: &engines_core::gate::Permit,
        invitee: Invitee,
        made: NewInvite,
    ) -> Result<InviteBody> {
        // An admin could create permanent credentials after the key has ended.
        if self.granting_key(context).await?.is_some() && made.role >= Role::Admin {
            let detail = "an API key can only invite viewers and members; use the token of a person";
            let error = self.refusal(Code::RoleInsufficient, MANAGE, detail);
            return Err(error.with_member("action", MANAGE));
        }
        let now = self.now();
        let inviter = format!("{tenant}:{}", context.actor().id);
        let rate = self.settings.invites();
        let counted = self.throttle.take("invites", &inviter, rate, now);
        counted
            .and_then(|()| self.throttle.take("invites.tenant", tenant.as_str(), rate, now))
            .map_err(|error| self.with_decision_id(error))?;
        let mut tags = vec![records::tenant_tag(tenant)];
        let (mut email, mut user_id, mut mailed) = (None, None, None);
        match invitee {
            Invitee::User(user) => {
                tags.push(records::invitee_tag(&user));
                user_id = Some(user);
            }
            Invitee::Address(address) => {
                let key = self.accounts()?.address_key(address.as_str());
                tags.push(records::invited_address_tag(&key));
                if made.send && self.mail_queue.is_some() {
                    mailed = Some((address, INVITE_TOKEN.mint(made.id, self.guard.ids())));
                }
                email = Some(key);
            }
            Invitee::Anybody => {}
        }
        let body = InviteBody {
            tenant_id: tenant.clone(),
            role: made.role,
            hash: made.hash,
            mail_hash: mailed.as_ref().map(|(_, (_, hash))| hash.clone()),
            email,
            user_id,
            invited_by: context.actor().id.clone(),
            expires_at: now.plus(Duration::from_secs(made.ttl)),
        };
        let batch =
            Batch::spanning(now).audit(permit.audit_entry(&self.guard, context, format!("invites/{}", made.id)));
        let batch = records::put(batch, INVITE, made.id, &tags, &body, Expect::Absent)?;
        // Read before the commit, because nothing may fail between the commit of the invite and its mail.
        let name = match &mailed {
            Some(_) => self.tenant(tenant).await?.map(|tenant| tenant.body.name),
            None => None,
        };
        self.commit_invite(context, tenant, &body, batch).await?;
        if let (Some((address, (token, _))), Some(key)) = (mailed, body.email.clone()) {
            let name = name.unwrap_or_else(|| tenant.to_string());
            let (address, days) = (SecretText::new(address.as_str()), made.ttl.div_ceil(DAY_S));
            self.enqueue_mail(MailJob::Invite { key, address, token, tenant: name, role: made.role, days });
        }
        Ok(body)
    }

    /// Commits a batch that creates an invite, within the quota of the tenant.
    async fn commit_invite(
        &self,
        context: &RequestContext,
        tenant: &TenantId,
        made: &InviteBody,
        batch: Batch,
    ) -> Result<()> {
        let most = self.settings.invites_per_tenant;
        let query = DocumentQuery::of_kind(INVITE).tag(records::tenant_tag(tenant));
        // There is one open invite for each user or address without a token: the newest one replaces the others. Only
        // owners replace invites for the role of owner.
        let replaced = |old: &InviteBody| {
            let same = old.hash.is_none() && old.user_id == made.user_id && old.email == made.email;
            made.hash.is_none() && same && (old.role < Role::Owner || context.role() == Role::Owner)
        };
        let turn = self.quota_turn(Quota::Invites(tenant)).await?;
        records::retry_on_conflict(MANAGE, || async {
            let reservation = turn.reserve().await?;
            let waiting: Vec<StoredDocument<InviteBody>> = self.records.all(&query, most).await?;
            if waiting.len() >= most {
                return Err(self.refusal(
                    Code::QuotaExceeded,
                    MANAGE,
                    "the tenant has too many open invites; delete some",
                ));
            }
            let batch = waiting
                .into_iter()
                .filter(|old| replaced(&old.body))
                .fold(batch.clone(), |batch, old| batch.delete_system(INVITE, old.id, Expect::Any));
            // False if another node has created an invite in the meantime.
            if !self.records.try_commit(context.scope(), reservation.add_to(batch)?).await? {
                return Ok(None);
            }
            Ok(Some(()))
        })
        .await
    }

    /// Makes an existing user a member.
    async fn accept_as_existing(
        &self,
        invite: &StoredDocument<InviteBody>,
        mailed: bool,
        requester: &Requester,
        caller: &Caller<'_>,
    ) -> Result<()> {
        let account = requester.account.as_ref().map(|account| &account.body);
        let address = account.and_then(|account| account.email.as_deref());
        if !self.is_addressed_to(&invite.body, Some(&requester.user_id), address)? {
            return Err(invite_not_found());
        }
        // A token without an address verifies nothing.
        let proves = mailed && account.is_some_and(|account| account.issuer.is_none() && !account.email_verified);
        let joining = match address.filter(|_| proves) {
            Some(address) => JoinMethod::ProvingAddress(address),
            None => JoinMethod::Existing,
        };
        self.join_with(invite, &requester.user_id, joining, caller).await
    }

    /// Returns whether an invite is for this user or this address. The address need not be verified: the caller also
    /// needs the token of the invite, or a verified address.
    fn is_addressed_to(&self, invite: &InviteBody, user: Option<&UserId>, address: Option<&str>) -> Result<bool> {
        if let Some(wanted) = &invite.user_id {
            return Ok(user == Some(wanted));
        }
        let Some(wanted) = &invite.email else { return Ok(true) };
        let accounts = self.accounts()?;
        Ok(address.is_some_and(|address| accounts.address_key(address) == *wanted))
    }

    /// Writes the membership, the end of the invite and what belongs to it, in one batch.
    async fn join_with(
        &self,
        invite: &StoredDocument<InviteBody>,
        user: &UserId,
        joining: JoinMethod<'_>,
        caller: &Caller<'_>,
    ) -> Result<()> {
        let InviteBody { tenant_id, role, .. } = &invite.body;
        records::retry_on_conflict(ACCEPT, || async {
            let now = self.now();
            let ended = Batch::spanning(now).delete_system(INVITE, invite.id.clone(), Expect::Version(invite.version));
            let AddressChange { batch, changed_users: others } = match joining {
                JoinMethod::New(account, proved) => self.put_account(ACCEPT, ended, account, proved, caller).await?,
                JoinMethod::Existing => AddressChange { batch: ended, changed_users: Vec::new() },
                JoinMethod::ProvingAddress(address) => {
                    let account = self.user(user).await?.ok_or_else(invite_not_found)?;
                    let proof = self.build_proof(ACCEPT, ended, account, address.to_owned(), caller).await?;
                    AddressChange { batch: proof.batch, changed_users: proof.changed_users }
                }
            };
            let mut audit = self.audit(now, ACCEPT, format!("invites/{}", invite.id), user, caller.trace);
            audit.reason = Some(format!("{} in {tenant_id}", role.as_str()).into());
            let change = |live: Option<&MemberBody>| match live {
                Some(_) => Err(Error::new(Code::AlreadyExists, ACCEPT, "you are a member of this tenant already")),
                None => {
                    let (tenant_id, user_id) = (tenant_id.clone(), user.clone());
                    // A membership that a key grants lasts as long as the key.
                    let key = api_key_id(&invite.body.invited_by);
                    Ok(Some(MemberBody { tenant_id, user_id, role: *role, removed: false, since: now, key }))
                }
            };
            match self.set_member(self.records.system(), tenant_id, user, batch.audit(audit), change).await {
                Ok(_) => {
                    self.publish_address_change(user, &others);
                    Ok(Some(()))
                }
                Err(CommitError::Precondition { failed: FailedPrecondition::Document { ref kind, .. }, .. })
                    if *kind == INVITE =>
                {
                    Err(invite_not_found())
                }
                // A concurrent change of the address or of an account makes another attempt necessary.
                Err(CommitError::Precondition { failed: FailedPrecondition::Document { ref kind, .. }, .. })
                    if *kind == EMAIL || *kind == USER =>
                {
                    Ok(None)
                }
                Err(error) => Err(map_address_conflict(ACCEPT, error)),
            }
        })
        .await
    }

    /// Returns the invite of a token, and whether the token was the mailed one.
    async fn find_invite(&self, token: &str) -> Result<(StoredDocument<InviteBody>, bool)> {
        let id = DocId::from(INVITE_TOKEN.id(token).ok_or_else(invite_not_found)?);
        let invite = self.records.get::<InviteBody>(&INVITE, &id).await?.ok_or_else(invite_not_found)?;
        let fits = |hash: &Option<TokenHash>| hash.as_ref().is_some_and(|hash| hash.matches(token));
        match (fits(&invite.body.hash), fits(&invite.body.mail_hash)) {
            (false, false) => Err(invite_not_found()),
            (_, mailed) => Ok((invite, mailed)),
        }
    }

    /// Checks that an invite can still be accepted.
    ///
    /// # Errors
    /// `TOKEN_EXPIRED`; `TOKEN_INVALID` when the tenant is closed, or the inviter may not invite any more.
    pub(super) async fn check_open(&self, invite: &StoredDocument<InviteBody>) -> Result<()> {
        if self.now() >= invite.body.expires_at {
            return Err(Error::new(Code::TokenExpired, ACCEPT, "the invite has expired; ask for another"));
        }
        let home = self.cache.tenant(&self.records, &invite.body.tenant_id).await?;
        if home != DirectoryStatus::Disabled && self.may_still_invite(&invite.body, home).await? {
            Ok(())
        } else {
            Err(invite_not_found())
        }
    }

    /// Returns whether the inviter may still create this invite, so that a removed admin cannot come back by an old one.
    /// For an inviter whom the store does not know, the decision at the time of the invite stands.
    async fn may_still_invite(&self, invite: &InviteBody, home: DirectoryStatus) -> Result<bool> {
        let InviteBody { tenant_id: tenant, invited_by: maker, .. } = invite;
        // Owners are invited by owners, all others by admins.
        let least = invite.role.max(Role::Admin);
        if let Some(key) = api_key_id(maker) {
            let usable = self.usable_api_key(key).await?;
            return Ok(invite.role < Role::Admin && usable.is_some_and(|key| key.role >= least));
        }
        let status = self.cache.user(&self.records, maker).await?.status;
        Ok(match self.membership(tenant, maker).await? {
            _ if status == DirectoryStatus::Disabled => false,
            Membership::Role(role) => role >= least,
            Membership::Removed => false,
            // The same rule as in the directory.
            Membership::Unknown => status != DirectoryStatus::Active || home == DirectoryStatus::Unknown,
        })
    }
}

fn invite_not_found() -> Error {
    invalid_token("the invite is unknown, was used, or is not for you; ask for another")
}

fn to_view(invite_id: String, invite: InviteBody) -> InviteView {
    InviteView {
        invite_id,
        tenant_id: invite.tenant_id,
        role: invite.role,
        for_one_address: invite.email.is_some(),
        user_id: invite.user_id,
        invited_by: invite.invited_by,
        expires_at: invite.expires_at,
    }
}
