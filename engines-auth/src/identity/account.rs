//! What users do with their own account: change the password, change the name, end all sessions, delete the account.

use engines_core::{
    Batch, Code, Error, Principal, Result, Role,
    nexus::{DocumentQuery, Expect},
};

use super::{
    display_name::validate_name,
    documents::{MailTokenBody, MemberBody, SessionBody, TenantBody, TenantStatus, UserBody},
    purge,
    records::{self, KNOWN_NETWORKS, MAIL_TOKEN, MEMBER, SESSION, StoredDocument, TENANT, USER, conflict_error},
    service::Identity,
    state::IdentityState,
    tenants::{MAX_MEMBERSHIPS, put_member},
    wire::{Caller, DeleteAccountRequest, MeResponse, PasswordRequest, ProfileRequest},
};
use crate::{password::Password, revocation::Revocation};

const PASSWORD: &str = "accounts.password";
const DELETE: &str = "accounts.delete";
const PROFILE: &str = "accounts.update";
const LOGOUT: &str = "sessions.end_all";

/// Mailed tokens of one user that are read. The limits on mails keep the number far below.
const MAX_MAIL_TOKENS: usize = 500;

impl Identity {
    /// Changes the password of the caller's account and ends all of its other sessions.
    ///
    /// # Errors
    /// `CREDENTIALS_INVALID` for a wrong current password; `BODY_INVALID` for a weak new password, and for one that
    /// equals the current one; `OP_INVALID` for an account without a password; `TOKEN_INVALID` for a principal without
    /// an account here; `RATE_LIMITED`, as for logins.
    pub async fn change_password(
        &self,
        principal: &Principal,
        request: PasswordRequest,
        caller: Caller<'_>,
    ) -> Result<()> {
        let answer = self.try_change_password(principal, request, &caller).await;
        answer
            .inspect_err(|error| self.state.record_failure(PASSWORD, error, Some(principal.actor.id.as_str()), &caller))
    }

    async fn try_change_password(
        &self,
        principal: &Principal,
        request: PasswordRequest,
        caller: &Caller<'_>,
    ) -> Result<()> {
        let state = &*self.state;
        let user = state.account_of(self, principal).await?;
        let name = user.body.display_name.as_deref().unwrap_or_default();
        let words = [user.body.email.as_deref().unwrap_or_default(), name];
        request.new_password.check("/new_password", &words)?;
        if request.new_password.is_same_as(&request.current_password) {
            return Err(Error::invalid_body(
                PASSWORD,
                "/new_password",
                "this is your current password; choose another",
            ));
        }
        state.confirm_password(PASSWORD, &user.body, request.current_password, caller).await?;
        let hash = state.accounts()?.hash_for(&user.body, request.new_password, caller).await?;
        let confirmed = user.body.password;
        records::retry_on_conflict(PASSWORD, || async {
            let now = state.now();
            let user = state.account_of(self, principal).await?;
            if user.body.password != confirmed {
                return Err(conflict_error(PASSWORD));
            }
            let generation = user.body.generation + 1;
            // A pending change of address may come from someone who knew the old password.
            let pending_email = user.body.pending_email.filter(|_| user.body.email.is_none());
            let body = UserBody { password: Some(hash.clone()), generation, pending_email, ..user.body };
            let mut batch =
                records::put(Batch::spanning(now), USER, user.id, &[], &body, Expect::Version(user.version))?;
            let sessions = state.sessions_of(&body.user_id).await?;
            for session in &sessions {
                let current = principal.session.as_deref() == Some(session.id.as_str());
                batch = match current && session.body.generation == user.body.generation {
                    true => {
                        let body = SessionBody { generation, ..session.body.clone() };
                        let tags = [records::user_tag(&body.user_id)];
                        let expect = Expect::Version(session.version);
                        records::put(batch, SESSION, session.id.clone(), &tags, &body, expect)?
                    }
                    false => batch.delete_system(SESSION, session.id.clone(), Expect::Any),
                };
            }
            let audit = state.audit(now, PASSWORD, resource(&body), &body.user_id, caller.trace);
            if !state.records.try_commit(state.records.system(), batch.audit(audit)).await? {
                return Ok(None);
            }
            state.invalidate_sessions(&body, &sessions);
            Ok(Some(()))
        })
        .await
    }

    /// Changes the profile of the caller's account.
    ///
    /// # Errors
    /// `BODY_INVALID` for an invalid name; `TOKEN_INVALID` for a principal without an account here.
    pub async fn update_me(
        &self,
        principal: &Principal,
        request: ProfileRequest,
        trace: &engines_core::Trace,
    ) -> Result<MeResponse> {
        let state = &*self.state;
        let name = request
            .display_name
            .map(|name| name.map(|name| validate_name(PROFILE, "/display_name", &name)).transpose());
        let Some(name) = name.transpose()? else {
            state.account_of(self, principal).await?;
            return self.me(principal).await;
        };
        records::retry_on_conflict(PROFILE, || async {
            let now = state.now();
            let user = state.account_of(self, principal).await?;
            let body = UserBody { display_name: name.clone(), ..user.body };
            let audit = state.audit(now, PROFILE, resource(&body), &body.user_id, trace);
            let batch = Batch::spanning(now).audit(audit);
            let batch = records::put(batch, USER, user.id, &[], &body, Expect::Version(user.version))?;
            if !state.records.try_commit(state.records.system(), batch).await? {
                return Ok(None);
            }
            self.me(principal).await.map(Some)
        })
        .await
    }

    /// Ends all sessions of the caller, the current one included, and sessions that are being started with the old
    /// password. A credential without a session (a token minted elsewhere) stays valid. API keys have no sessions.
    ///
    /// # Errors
    /// Errors of the store.
    pub async fn end_sessions(&self, principal: &Principal, trace: &engines_core::Trace) -> Result<()> {
        let state = &*self.state;
        if principal.restriction.is_some() {
            return Ok(());
        }
        records::retry_on_conflict(LOGOUT, || async {
            let now = state.now();
            let Some(user) = state.user(&principal.actor.id).await? else { return Ok(Some(())) };
            let body = UserBody { generation: user.body.generation + 1, ..user.body };
            let audit = state.audit(now, LOGOUT, resource(&body), &body.user_id, trace);
            let batch = Batch::spanning(now).audit(audit);
            let mut batch = records::put(batch, USER, user.id, &[], &body, Expect::Version(user.version))?;
            let sessions = state.sessions_of(&body.user_id).await?;
            for session in &sessions {
                batch = batch.delete_system(SESSION, session.id.clone(), Expect::Any);
            }
            if !state.records.try_commit(state.records.system(), batch).await? {
                return Ok(None);
            }
            state.invalidate_sessions(&body, &sessions);
            Ok(Some(()))
        })
        .await
    }

    /// Deletes the caller's account. One batch removes memberships, sessions, the address and the name, and releases
    /// the address. The id stays, so that tokens which still name it are refused; audit records and content that name
    /// the id stay too.
    ///
    /// A user of another issuer needs no password. Only the control plane can admit such a user again.
    ///
    /// # Errors
    /// `CREDENTIALS_INVALID` for a wrong password; `BODY_INVALID` without one; `OP_INVALID` for the last owner of open
    /// tenants, which the member `tenants` lists; `TOKEN_INVALID` for a principal without an account here;
    /// `RATE_LIMITED`, as for logins.
    pub async fn delete_account(
        &self,
        principal: &Principal,
        request: DeleteAccountRequest,
        caller: Caller<'_>,
    ) -> Result<()> {
        let answer = self.try_delete_account(principal, request, &caller).await;
        answer.inspect_err(|error| self.state.record_failure(DELETE, error, Some(principal.actor.id.as_str()), &caller))
    }

    async fn try_delete_account(
        &self,
        principal: &Principal,
        request: DeleteAccountRequest,
        caller: &Caller<'_>,
    ) -> Result<()> {
        let state = &*self.state;
        let user = state.account_of(self, principal).await?;
        let confirmed = user.body.password.clone();
        if confirmed.is_some() {
            let missing = || Error::invalid_body(DELETE, "/password", "send your password");
            state.confirm_password(DELETE, &user.body, request.password.ok_or_else(missing)?, caller).await?;
        }
        records::retry_on_conflict(DELETE, || async {
            let user = state.account_of(self, principal).await?;
            if user.body.password != confirmed {
                return Err(conflict_error(DELETE));
            }
            Ok(state.delete_user(user, caller).await?.then_some(()))
        })
        .await
    }
}

impl IdentityState {
    /// Checks the password of an account, with the same limits as a login.
    pub(super) async fn confirm_password(
        &self,
        operation: &'static str,
        user: &UserBody,
        password: Password,
        caller: &Caller<'_>,
    ) -> Result<()> {
        let Some(hash) = &user.password else {
            let detail = "this account has no password here; its issuer manages it";
            return Err(Error::new(Code::OpInvalid, operation, detail));
        };
        self.charge_address(caller)?;
        let accounts = self.accounts()?;
        // Guesses count like logins. An account without an address is counted by its id.
        let key = user.email.as_deref().map_or_else(|| user.user_id.to_string(), |email| accounts.address_key(email));
        let attempt = self.begin_login(&key, Some(&user.user_id), caller).await?;
        if !accounts.hasher.verify(password, Some(hash), caller.network()).await?.matches {
            return Err(Error::new(Code::CredentialsInvalid, operation, "the password is wrong"));
        }
        attempt.mark_succeeded();
        self.refund_address(caller);
        accounts.hasher.mark_proven(caller.network());
        Ok(())
    }

    /// Removes the user and the sessions from the caches and tells open streams.
    pub(super) fn invalidate_sessions(&self, user: &UserBody, sessions: &[StoredDocument<SessionBody>]) {
        for session in sessions {
            self.publish_revocation(Revocation::Session(session.id.to_string()));
        }
        self.publish_revocation(Revocation::User(user.user_id.clone()));
    }

    /// Removes everything about a user but the id. Returns false when a concurrent change interfered.
    async fn delete_user(&self, user: StoredDocument<UserBody>, caller: &Caller<'_>) -> Result<bool> {
        let now = self.now();
        let query = DocumentQuery::of_kind(MEMBER).tag(records::user_tag(&user.body.user_id));
        let members = self.records.all::<MemberBody>(&query, MAX_MEMBERSHIPS).await?;
        if members.len() >= MAX_MEMBERSHIPS {
            let detail = "you are a member of too many tenants to leave all at once; leave some first";
            return Err(Error::new(Code::OpInvalid, DELETE, detail));
        }
        let mut batch = Batch::spanning(now);
        let (mut last, mut left) = (Vec::new(), Vec::new());
        for member in members {
            let tenant = member.body.tenant_id.clone();
            if member.body.role == Role::Owner
                && let Some(home) = self.tenant(&tenant).await?
            {
                if home.body.owners <= 1 && home.body.status == TenantStatus::Active {
                    last.push(tenant.to_string());
                }
                let body = TenantBody { owners: home.body.owners.saturating_sub(1), ..home.body };
                let tags = purge::tenant_tags(&body);
                batch = records::put(batch, TENANT, home.id, &tags, &body, Expect::Version(home.version))?;
            }
            let gone = MemberBody { removed: true, ..member.body };
            batch = put_member(batch, &gone, Expect::Version(member.version))?;
            left.push(tenant);
        }
        if !last.is_empty() {
            let detail = "you are the last owner of these tenants; make another member an owner, or close them";
            return Err(Error::new(Code::OpInvalid, DELETE, detail).with_member("tenants", last));
        }
        let sessions = self.sessions_of(&user.body.user_id).await?;
        for session in &sessions {
            batch = batch.delete_system(SESSION, session.id.clone(), Expect::Any);
        }
        let mailed = DocumentQuery::of_kind(MAIL_TOKEN).tag(records::user_tag(&user.body.user_id));
        for token in self.records.all::<MailTokenBody>(&mailed, MAX_MAIL_TOKENS).await? {
            batch = batch.delete_system(MAIL_TOKEN, token.id, Expect::Any);
        }
        if let (None, Some(email)) = (&user.body.issuer, &user.body.email) {
            batch = self.release_address(batch, email, &user.body.user_id).await?;
        }
        batch = batch.delete_system(KNOWN_NETWORKS, records::user_id(&user.body.user_id)?, Expect::Any);
        let audit = self.audit(now, DELETE, resource(&user.body), &user.body.user_id, caller.trace);
        let body = user.body.into_deleted();
        let batch = records::put(batch.audit(audit), USER, user.id, &[], &body, Expect::Version(user.version))?;
        if !self.records.try_commit(self.records.system(), batch).await? {
            return Ok(false);
        }
        for tenant in left {
            self.cache.tenants.invalidate(&tenant);
            self.publish_revocation(Revocation::Member(tenant, body.user_id.clone()));
        }
        self.invalidate_sessions(&body, &sessions);
        Ok(true)
    }
}

fn resource(user: &UserBody) -> String {
    format!("users/{}", records::user_key(&user.user_id))
}
