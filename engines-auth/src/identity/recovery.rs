//! Reset of a forgotten password by a mail to the account's verified address.

use engines_core::{Batch, Error, Result, nexus::Expect};

use super::{
    documents::{MailTokenBody, TokenPurpose, UserBody},
    email_address::EmailAddress,
    mail_queue::MailJob,
    mail_tokens::invalid_token,
    records::{self, MAIL_TOKEN, SESSION, StoredDocument, USER},
    service::Identity,
    state::IdentityState,
    wire::{Accepted, Caller, ForgotRequest, ResetRequest},
};
use crate::secret::SecretText;

const FORGOT: &str = "accounts.password_forgot";
const RESET: &str = "accounts.password_reset";

impl Identity {
    /// Mails a token that resets the password of the account that has verified this address. The response and its time
    /// are the same whether there is such an account or not, for a malformed address, and without a mailer.
    ///
    /// Accounts that only claim the address are not reset, because the owner of the mailbox may not have created them.
    /// The mail tells the owner to sign up again.
    ///
    /// # Errors
    /// `RATE_LIMITED`, by the caller's network address only.
    pub async fn forgot_password(&self, request: ForgotRequest, caller: Caller<'_>) -> Result<Accepted> {
        let state = &*self.state;
        let counted = state.accounts().and_then(|accounts| state.charge_address(&caller).map(|()| accounts));
        let accounts = counted.inspect_err(|error| state.record_failure(FORGOT, error, None, &caller))?;
        if let Ok(address) = EmailAddress::parse(request.email.expose()) {
            let key = accounts.address_key(address.as_str());
            state.enqueue_mail(MailJob::Forgot { key, address: SecretText::new(address.as_str()) });
        }
        Ok(Accepted::default())
    }

    /// Consumes a mailed token, sets a new password, and ends all sessions of the account.
    ///
    /// # Errors
    /// `TOKEN_INVALID` for a token that is unknown, was used, or was mailed before the password or the address changed;
    /// `TOKEN_EXPIRED`; `BODY_INVALID` for a weak password, which does not consume the token; `RATE_LIMITED`.
    pub async fn reset_password(&self, request: ResetRequest, caller: Caller<'_>) -> Result<()> {
        let answer = self.try_reset(request, &caller).await;
        answer.inspect_err(|error| self.state.record_failure(RESET, error, None, &caller))
    }

    async fn try_reset(&self, request: ResetRequest, caller: &Caller<'_>) -> Result<()> {
        let state = &*self.state;
        let accounts = state.accounts()?;
        state.charge_address(caller)?;
        let (_, user) = state.reset_token(request.token.expose()).await?;
        let name = user.body.display_name.as_deref().unwrap_or_default();
        request.password.check("/password", &[user.body.email.as_deref().unwrap_or_default(), name])?;
        let hash = accounts.hasher.hash(request.password, caller.network()).await?;
        records::retry_on_conflict(RESET, || async {
            let now = state.now();
            let (token, user) = state.reset_token(request.token.expose()).await?;
            let generation = user.body.generation + 1;
            // A pending change of address may come from someone else.
            let body = UserBody { password: Some(hash.clone()), generation, pending_email: None, ..user.body };
            let batch = Batch::spanning(now);
            let batch = batch.delete_system(MAIL_TOKEN, token.id, Expect::Version(token.version));
            let mut batch = records::put(batch, USER, user.id, &[], &body, Expect::Version(user.version))?;
            let sessions = state.sessions_of(&body.user_id).await?;
            for session in &sessions {
                batch = batch.delete_system(SESSION, session.id.clone(), Expect::Any);
            }
            let resource = format!("users/{}", records::user_key(&body.user_id));
            let audit = state.audit(now, RESET, resource, &body.user_id, caller.trace);
            if !state.records.try_commit(state.records.system(), batch.audit(audit)).await? {
                return Ok(None);
            }
            state.invalidate_sessions(&body, &sessions);
            Ok(Some(()))
        })
        .await
    }
}

impl IdentityState {
    /// Returns a valid reset token and its account, if the account still has the address and the password that the
    /// token was mailed for.
    async fn reset_token(
        &self,
        token: &str,
    ) -> Result<(StoredDocument<MailTokenBody>, StoredDocument<UserBody>), Error> {
        let token = self.mailed_token(RESET, token, TokenPurpose::Reset).await?;
        let accounts = self.accounts()?;
        let user = self.user(&token.body.user_id).await?.filter(|user| !user.body.disabled);
        let user = user.filter(|user| {
            let address = user.body.verified_email().map(|email| accounts.address_key(email));
            address.as_ref() == Some(&token.body.address) && user.body.generation == token.body.generation
        });
        Ok((token, user.ok_or_else(invalid_token)?))
    }
}
