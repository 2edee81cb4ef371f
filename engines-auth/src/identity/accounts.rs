//! Signup, login, and the view that users have of themselves.

use engines_core::{
    ActorType, Batch, Code, Error, Principal, Result, TenantId, UserId,
    nexus::{CommitError, Expect, FailedPrecondition},
};

use super::{
    addresses::{AddressChange, NewAccount, address_in_use, map_address_conflict},
    control_plane::SYSTEM_TENANT,
    display_name::validate_name,
    documents::UserBody,
    email_address::EmailAddress,
    mail_queue::MailJob,
    own_memberships::MembershipSubject,
    records::{self, EMAIL, StoredDocument, USER},
    service::Identity,
    settings::Signup,
    state::{Accounts, IdentityState},
    wire::{BootstrapState, Caller, LoginRequest, MeResponse, SignupRequest, TokenResponse, UserView},
};
use crate::password::Password;

const SIGNUP: &str = "accounts.signup";
const LOGIN: &str = "accounts.login";

impl Identity {
    /// Creates an account, and a tenant if the request names one, and logs in. The address is claimed but not verified.
    /// If there is a mailer, a token that verifies the address is mailed to it.
    ///
    /// # Errors
    /// `BODY_INVALID` for a malformed address, a weak password or an invalid name; `ALREADY_EXISTS` for an address that
    /// another account has verified; `ROLE_INSUFFICIENT` when signup needs an invite; `RATE_LIMITED`.
    pub async fn signup(&self, request: SignupRequest, caller: Caller<'_>) -> Result<TokenResponse> {
        let answer = self.try_signup(request, &caller).await;
        answer.inspect_err(|error| self.state.record_failure(SIGNUP, error, None, &caller))
    }

    async fn try_signup(&self, request: SignupRequest, caller: &Caller<'_>) -> Result<TokenResponse> {
        let state = &*self.state;
        state.charge_address(caller)?;
        if state.settings.signup == Signup::Invite {
            let detail = "signup needs an invite; accept one";
            return Err(state.refusal(Code::RoleInsufficient, SIGNUP, detail));
        }
        let tenant_name = request.tenant_name.map(|name| validate_name(SIGNUP, "/tenant_name", &name)).transpose()?;
        let mut account =
            state.new_account(SIGNUP, request.email.expose(), &request.password, request.display_name, caller).await?;
        let user = account.user.user_id.clone();
        let tenant = match &tenant_name {
            Some(name) => Some(state.generate_tenant_id(name)?),
            None => None,
        };
        account.user.default_tenant.clone_from(&tenant);
        records::retry_on_conflict(SIGNUP, || async {
            let now = state.now();
            let mut batch = Batch::spanning(now);
            if let (Some(tenant), Some(name)) = (&tenant, &tenant_name) {
                batch = state.put_new_tenant(batch, tenant, name.clone(), Some(&user))?;
            }
            let AddressChange { batch, changed_users: others } =
                state.put_account(SIGNUP, batch, &account, false, caller).await?;
            let audit = state.audit(now, SIGNUP, format!("users/{user}"), &user, caller.trace);
            match state.records.commit(state.records.system(), batch.audit(audit)).await {
                Ok(_) => {
                    state.publish_address_change(&user, &others);
                    state.enqueue_mail(MailJob::Verify { user: user.clone(), key: account.key.clone() });
                    state.start_session(&user, 0, caller).await.map(Some)
                }
                // Another account has claimed or verified the address in the meantime.
                Err(CommitError::Precondition { failed: FailedPrecondition::Document { ref kind, .. }, .. })
                    if *kind == EMAIL || *kind == USER =>
                {
                    Ok(None)
                }
                Err(error) => Err(map_address_conflict(SIGNUP, error)),
            }
        })
        .await
    }

    /// Logs in to an account and starts a session.
    ///
    /// # Errors
    /// `CREDENTIALS_INVALID` when the account is unknown, has no password or is disabled, and when the password is
    /// wrong, always with the same detail and after the same work; `RATE_LIMITED`, before any hash is computed.
    /// Concurrent logins with the right password wait for each other.
    pub async fn login(&self, request: LoginRequest, caller: Caller<'_>) -> Result<TokenResponse> {
        let key = self.state.accounts()?.address_key(request.email.expose());
        let answer = self.try_login(&key, request.password, &caller).await;
        // The start of the hash identifies the account in the record without the address, so that many tries at one
        // account can be seen.
        answer.inspect_err(|error| {
            self.state.record_failure(
                LOGIN,
                error,
                key.get(..12).map(|short| format!("email:{short}")).as_deref(),
                &caller,
            );
        })
    }

    async fn try_login(&self, key: &str, password: Password, caller: &Caller<'_>) -> Result<TokenResponse> {
        let state = &*self.state;
        state.charge_address(caller)?;
        let accounts = state.accounts()?;
        let known = state.login_candidates(key).await?;
        // With several accounts that claim the address, no known network is used, because it may be another person's.
        let only = match known.as_slice() {
            [only] => Some(&only.body.user_id),
            _ => None,
        };
        let attempt = state.begin_login(key, only, caller).await?;
        let hashes: Vec<_> = known.iter().map(|user| user.body.password.as_deref().unwrap_or_default()).collect();
        // Several accounts may claim an address that none has verified. The first one that the password matches logs
        // in.
        let verdict = accounts.hasher.verify_any(password.clone(), &hashes, caller.network()).await?;
        let meant =
            verdict.first(known.iter().map(|user| !user.body.disabled)).map(|at| (&known[at], verdict.is_outdated(at)));
        let Some((user, outdated)) = meant else {
            return Err(Error::new(Code::CredentialsInvalid, LOGIN, "the e-mail address or the password is wrong"));
        };
        attempt.mark_succeeded();
        state.refund_address(caller);
        accounts.hasher.mark_proven(caller.network());
        if outdated {
            state.rehash(user, password, caller).await?;
        }
        // The generation that was read: a concurrent change of the password ends this session too.
        state.start_session(&user.body.user_id, user.body.generation, caller).await
    }

    /// Returns the caller's own user, tenant and memberships.
    ///
    /// # Errors
    /// `TOKEN_INVALID` for a disabled user; errors of the store.
    pub async fn me(&self, principal: &Principal) -> Result<MeResponse> {
        let state = &*self.state;
        crate::directory::Directory::check(self, principal).await?;
        let stored = state.user(&principal.actor.id).await?.filter(|user| !user.body.is_block_record());
        let user = match &stored {
            Some(user) => state.user_view(user),
            None => UserView {
                user_id: principal.actor.id.clone(),
                email: principal.email.as_ref().map(|email| email.expose().to_owned()),
                // The issuer of the token claims it.
                email_verified: principal.email.is_some(),
                display_name: None,
                actor_type: principal.actor.kind,
                created_at: None,
            },
        };
        let subject = MembershipSubject::Principal(self, principal);
        let memberships = state.first_memberships(subject).await?;
        // Issuers of external users and of tokens minted elsewhere may choose the default tenant. For accounts kept
        // here, only the user may.
        let own = stored.as_ref().is_some_and(|user| user.body.issuer.is_none());
        let chosen = stored.and_then(|user| user.body.default_tenant);
        let chosen = chosen.or_else(|| principal.default_tenant.clone().filter(|_| !own));
        let tenant = state.chosen_tenant(subject, chosen.as_ref()).await?.map(|(tenant, _)| tenant);
        Ok(MeResponse { user, tenant, memberships: memberships.items, memberships_next: memberships.next })
    }

    /// Returns what a client needs at its start.
    ///
    /// # Errors
    /// As [`Identity::me`].
    pub async fn bootstrap_state(&self, principal: &Principal) -> Result<BootstrapState> {
        let me = self.me(principal).await?;
        let system = self.state.tenant(&TenantId::new(SYSTEM_TENANT)?).await?;
        Ok(BootstrapState { me, envs: engines_core::Env::ALL, bootstrapped: system.is_some() })
    }
}

impl Accounts {
    /// Hashes the password of an account. While the address is not verified, the salt is that of the address.
    pub(super) async fn hash_for(&self, user: &UserBody, password: Password, caller: &Caller<'_>) -> Result<String> {
        let client = caller.network();
        match user.email.as_deref().filter(|_| !user.email_verified) {
            Some(address) => self.hasher.hash_with(password, self.index.salt(&self.address_key(address)), client).await,
            None => self.hasher.hash(password, client).await,
        }
    }

    /// Returns the keyed hash of an address. A malformed address gets a hash too, which matches no account and takes
    /// the same time.
    pub(super) fn address_key(&self, email: &str) -> String {
        match EmailAddress::parse(email) {
            Ok(address) => self.index.hash("email", address.as_str()),
            Err(_) => self.index.hash("malformed", &email.chars().take(EmailAddress::MAX_BYTES).collect::<String>()),
        }
    }
}

impl IdentityState {
    /// Validates a new account and hashes its password.
    pub(super) async fn new_account(
        &self,
        operation: &'static str,
        email: &str,
        password: &Password,
        display_name: Option<String>,
        caller: &Caller<'_>,
    ) -> Result<NewAccount> {
        let accounts = self.accounts()?;
        let email = EmailAddress::parse(email)?;
        let display_name = display_name.map(|name| validate_name(operation, "/display_name", &name)).transpose()?;
        password.check("/password", &[email.as_str(), display_name.as_deref().unwrap_or_default()])?;
        let key = accounts.address_key(email.as_str());
        // Checked before the hash is computed, to save the work. The batch checks it again.
        if self.address_entry(&key).await?.holder().is_some() {
            return Err(address_in_use(operation));
        }
        let user = UserBody {
            email: Some(email.as_str().to_owned()),
            display_name,
            ..UserBody::new(UserId::new(self.guard.ids().ulid(self.now()).to_string())?)
        };
        let hash = accounts.hash_for(&user, password.clone(), caller).await?;
        Ok(NewAccount { user: UserBody { password: Some(hash), ..user }, key })
    }

    pub(super) async fn user(&self, user: &UserId) -> Result<Option<StoredDocument<UserBody>>> {
        self.records.get(&USER, &records::user_id(user)?).await
    }

    pub(super) fn user_view(&self, user: &StoredDocument<UserBody>) -> UserView {
        UserView {
            user_id: user.body.user_id.clone(),
            email: user.body.email.clone(),
            email_verified: user.body.verified_email().is_some(),
            display_name: user.body.display_name.clone(),
            actor_type: ActorType::Human,
            created_at: Some(user.created_at),
        }
    }

    /// Stores a hash with the cost of the current settings. If the user was changed in the meantime, the next login
    /// stores it.
    async fn rehash(&self, user: &StoredDocument<UserBody>, password: Password, caller: &Caller<'_>) -> Result<()> {
        let hash = self.accounts()?.hash_for(&user.body, password, caller).await?;
        let body = UserBody { password: Some(hash), ..user.body.clone() };
        let batch = Batch::spanning(self.now());
        let batch = records::put(batch, USER, user.id.clone(), &[], &body, Expect::Version(user.version))?;
        self.records.try_commit(self.records.system(), batch).await?;
        Ok(())
    }
}
