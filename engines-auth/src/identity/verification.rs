//! Verification of addresses, after signup and when an address changes.

use engines_core::{Action, Batch, Code, Error, Principal, RequestContext, Result, UserId, nexus::Expect};

use super::{
    documents::{TokenPurpose, UserBody},
    email_address::EmailAddress,
    mail_queue::MailJob,
    mail_tokens::invalid_token,
    records::{self, MAIL_TOKEN, StoredDocument, USER, conflict_error},
    service::Identity,
    state::IdentityState,
    wire::{Accepted, Caller, EmailRequest, MailTokenRequest},
};
use crate::{revocation::Revocation, secret::SecretText};

const REQUEST: &str = "accounts.verify_request";
const VERIFY: &str = "accounts.verify";
const CHANGE: &str = "accounts.email";
const MARK: &str = "users.manage";

impl Identity {
    /// Mails a token that verifies the caller's address: the pending one if a change is pending. Nothing is sent when
    /// the address is already verified.
    ///
    /// # Errors
    /// `OP_INVALID` without a mailer, for an account without an address, and for an account of another issuer;
    /// `RATE_LIMITED`; `TOKEN_INVALID` for a principal without an account here.
    pub async fn request_verification(&self, principal: &Principal, caller: Caller<'_>) -> Result<Accepted> {
        let answer = self.try_request_verification(principal).await;
        answer
            .inspect_err(|error| self.state.record_failure(REQUEST, error, Some(principal.actor.id.as_str()), &caller))
    }

    async fn try_request_verification(&self, principal: &Principal) -> Result<Accepted> {
        let state = &*self.state;
        let user = state.account_of(self, principal).await?.body;
        state.own_address(REQUEST, &user)?;
        let unproved = user.email.as_deref().filter(|_| !user.email_verified);
        let Some(address) = user.pending_email.as_deref().or(unproved) else {
            return match user.email {
                Some(_) => Ok(Accepted::default()),
                None => Err(Error::new(Code::OpInvalid, REQUEST, "this account has no address; set one first")),
            };
        };
        state.check_mail_rate(&user.user_id)?;
        let key = state.accounts()?.address_key(address);
        state.enqueue_mail(MailJob::Verify { user: user.user_id, key });
        Ok(Accepted::default())
    }

    /// Consumes a mailed token and assigns its address to the account that it was mailed for. Accounts that only claim
    /// the address lose it, and keep everything else.
    ///
    /// If a `principal` is given, it must be the user of that account.
    ///
    /// # Errors
    /// `TOKEN_INVALID` for a token that is unknown, was used, or is for an address that the account does not claim any
    /// more; `TOKEN_EXPIRED`; `ALREADY_EXISTS` when another account has verified the address before; `RATE_LIMITED`.
    pub async fn verify_address(
        &self,
        principal: Option<&Principal>,
        request: MailTokenRequest,
        caller: Caller<'_>,
    ) -> Result<()> {
        let answer = self.try_verify(principal, &request, &caller).await;
        let who = principal.map(|principal| principal.actor.id.as_str());
        answer.inspect_err(|error| self.state.record_failure(VERIFY, error, who, &caller))
    }

    async fn try_verify(
        &self,
        principal: Option<&Principal>,
        request: &MailTokenRequest,
        caller: &Caller<'_>,
    ) -> Result<()> {
        let state = &*self.state;
        state.accounts()?;
        state.charge_address(caller)?;
        records::retry_on_conflict(VERIFY, || async {
            let token = state.mailed_token(VERIFY, request.token.expose(), TokenPurpose::Verify).await?;
            if principal
                .is_some_and(|principal| principal.actor.id != token.body.user_id || principal.restriction.is_some())
            {
                return Err(invalid_token());
            }
            let user = state.user(&token.body.user_id).await?.filter(|user| !user.body.disabled);
            let user = user.ok_or_else(invalid_token)?;
            let Some(address) = state.claimed_address(&user.body, &token.body.address)?.map(str::to_owned) else {
                return Err(invalid_token());
            };
            let batch = Batch::spanning(state.now());
            let used = batch.delete_system(MAIL_TOKEN, token.id.clone(), Expect::Version(token.version));
            Ok(state.prove_address(VERIFY, used, user, address, caller).await?.then_some(()))
        })
        .await
    }

    /// Requests a change of the caller's address. The change takes effect when the token that is mailed to the new
    /// address is used. Until then the account keeps its address. The response does not reveal whether the new address
    /// has an account.
    ///
    /// # Errors
    /// `CREDENTIALS_INVALID` for a wrong password; `BODY_INVALID` for a malformed address; `OP_INVALID` without a
    /// mailer, and for an account of another issuer; `TOKEN_INVALID` for a principal without an account here;
    /// `RATE_LIMITED`.
    pub async fn change_email(
        &self,
        principal: &Principal,
        request: EmailRequest,
        caller: Caller<'_>,
    ) -> Result<Accepted> {
        let answer = self.try_change_email(principal, request, &caller).await;
        answer.inspect_err(|error| self.state.record_failure(CHANGE, error, Some(principal.actor.id.as_str()), &caller))
    }

    async fn try_change_email(
        &self,
        principal: &Principal,
        request: EmailRequest,
        caller: &Caller<'_>,
    ) -> Result<Accepted> {
        let state = &*self.state;
        let user = state.account_of(self, principal).await?.body;
        state.own_address(CHANGE, &user)?;
        let address = EmailAddress::parse(request.email.expose())?;
        state.confirm_password(CHANGE, &user, request.password, caller).await?;
        state.check_mail_rate(&user.user_id)?;
        let confirmed = user.password;
        records::retry_on_conflict(CHANGE, || async {
            let now = state.now();
            let user = state.account_of(self, principal).await?;
            if user.body.password != confirmed {
                return Err(conflict_error(CHANGE));
            }
            let same = user.body.email.as_deref() == Some(address.as_str());
            let pending_email = (!same).then(|| address.as_str().to_owned());
            let body = UserBody { pending_email, ..user.body };
            let resource = format!("users/{}", records::user_key(&body.user_id));
            let audit = state.audit(now, CHANGE, resource, &body.user_id, caller.trace);
            let batch = Batch::spanning(now).audit(audit);
            let batch = records::put(batch, USER, user.id, &[], &body, Expect::Version(user.version))?;
            if !state.records.try_commit(state.records.system(), batch).await? {
                return Ok(None);
            }
            let key = state.accounts()?.address_key(address.as_str());
            state.enqueue_mail(MailJob::Verify { user: body.user_id, key });
            Ok(Some(Accepted::default()))
        })
        .await
    }

    /// Marks the address of an account as verified, for the control plane of a deployment without a mailer.
    ///
    /// # Errors
    /// As [`Identity::list_tenants`]; `NOT_FOUND` for a user without an account here; `OP_INVALID` for an account
    /// without an address; `ALREADY_EXISTS` when another account has verified the address.
    pub async fn mark_verified(&self, context: &RequestContext, user: &UserId) -> Result<()> {
        let state = &*self.state;
        let resource = format!("users/{}", records::user_key(user));
        let permit = state.authorize_operator(context, Action::UsersManage, &resource).await?;
        let missing = || Error::new(Code::NotFound, MARK, "no user with this id has an account here");
        records::retry_on_conflict(MARK, || async {
            let found = state.user(user).await?.filter(|user| !user.body.deleted && user.body.password.is_some());
            let found = found.ok_or_else(missing)?;
            let Some(address) = found.body.email.clone() else {
                return Err(Error::new(Code::OpInvalid, MARK, "this account has no address"));
            };
            if found.body.email_verified {
                return Ok(Some(()));
            }
            let batch = Batch::spanning(state.now()).audit(permit.audit_entry(&state.guard, context, resource.clone()));
            let caller = Caller { address: None, user_agent: None, trace: context.trace() };
            Ok(state.prove_address(MARK, batch, found, address, &caller).await?.then_some(()))
        })
        .await
    }
}

impl IdentityState {
    /// Checks that the address of an account is kept here and can be verified by mail.
    fn own_address(&self, operation: &'static str, user: &UserBody) -> Result<()> {
        let refuse = |detail: &'static str| Err(Error::new(Code::OpInvalid, operation, detail));
        if user.issuer.is_some() || user.password.is_none() {
            return refuse("the address of this account is managed by its issuer");
        }
        if self.mail_queue.is_none() {
            return refuse("this deployment has no mailer, so addresses cannot be verified by mail; ask an operator");
        }
        Ok(())
    }

    /// Counts a mail that an account requests.
    fn check_mail_rate(&self, user: &UserId) -> Result<()> {
        let Some(mails) = &self.mail_queue else { return Ok(()) };
        let taken = self.throttle.take("mail.account", user.as_str(), mails.settings.per_account(), self.now());
        taken.map_err(|error| self.with_decision_id(error))
    }

    /// Assigns a verified address to an account, in one batch with everything in `batch`. Returns false when a
    /// concurrent change interfered.
    ///
    /// # Errors
    /// `ALREADY_EXISTS` when another account has verified the address before.
    pub(super) async fn prove_address(
        &self,
        operation: &'static str,
        batch: Batch,
        user: StoredDocument<UserBody>,
        address: String,
        caller: &Caller<'_>,
    ) -> Result<bool> {
        let before = user.body.email.clone().filter(|before| *before != address);
        let former = before.filter(|_| user.body.email_verified);
        let proof = self.build_proof(operation, batch, user, address, caller).await?;
        let user = proof.user;
        if !self.records.try_commit(self.records.system(), proof.batch).await? {
            return Ok(false);
        }
        self.publish_address_change(&user, &proof.changed_users);
        if let Some(former) = former {
            let key = self.accounts()?.address_key(&former);
            self.enqueue_mail(MailJob::AddressChanged { key, address: SecretText::new(former) });
        }
        Ok(true)
    }

    /// Builds the batch that assigns a verified address to an account.
    pub(super) async fn build_proof(
        &self,
        operation: &'static str,
        batch: Batch,
        user: StoredDocument<UserBody>,
        address: String,
        caller: &Caller<'_>,
    ) -> Result<AddressProof> {
        let user_id = user.body.user_id.clone();
        let entry = self.address_entry(&self.accounts()?.address_key(&address)).await?;
        if entry.holder().is_some_and(|holder| *holder != user_id) {
            let detail = "another account has verified this address; log in there, or reset its password";
            return Err(Error::new(Code::AlreadyExists, operation, detail));
        }
        let mut batch = batch;
        if let Some(before) = user.body.email.as_deref().filter(|before| *before != address) {
            batch = self.release_address(batch, before, &user_id).await?;
        }
        let claimed = self.assign_address(batch, &entry, &user_id, caller).await?;
        let pending_email = user.body.pending_email.clone().filter(|pending| *pending != address);
        let body = UserBody { email: Some(address), email_verified: true, pending_email, ..user.body };
        let resource = format!("users/{}", records::user_key(&user_id));
        // An operator's action already has an audit record, which names the operator.
        let audit =
            (operation != MARK).then(|| self.audit(claimed.batch.at(), VERIFY, resource, &user_id, caller.trace));
        let batch = claimed.batch.audit(audit);
        let batch = records::put(batch, USER, user.id, &[], &body, Expect::Version(user.version))?;
        Ok(AddressProof { batch, user: user_id, changed_users: claimed.changed_users })
    }

    /// Removes these users from the caches and tells open streams.
    pub(super) fn publish_address_change(&self, user: &UserId, others: &[UserId]) {
        for user in others.iter().chain([user]) {
            self.publish_revocation(Revocation::User(user.clone()));
        }
    }
}

/// A batch that assigns an address, the user who gets it, and the other users that it changes.
pub(super) struct AddressProof {
    pub(super) batch: Batch,
    pub(super) user: UserId,
    pub(super) changed_users: Vec<UserId>,
}
