//! Resetting a forgotten password by a mail to the account's verified address.

use engines_core::{
    Batch, Error, Result,
    nexus::{CommitError, Expect},
};

use super::{
    documents::{MailTokenBody, TokenPurpose, UserBody},
    email_address::EmailAddress,
    mail_queue::{MailJob, invalid_token},
    records::{self, MAIL_TOKEN, SESSION, StoredDocument, USER},
    service::{Identity, Inner},
    tenants::{MAX_ATTEMPTS, conflict_error},
    wire::Caller,
    wire_accounts::{Accepted, ForgotRequest, ResetRequest},
};
use crate::secret::SecretText;

const FORGOT: &str = "accounts.password_forgot";
const RESET: &str = "accounts.password_reset";

impl Identity {
    /// Mails a token that resets the password of the account that has verified this address. What is answered, and when, is the same
    /// whether there is one or not; also for what is no address, and where there is no mailer.
    ///
    /// An address that accounts have only named resets nothing: whoever owns the mailbox need not have made any of them. They are told to
    /// sign up again.
    ///
    /// # Errors
    /// `RATE_LIMITED`, by the caller's network address alone.
    pub async fn forgot_password(&self, request: ForgotRequest, caller: Caller<'_>) -> Result<Accepted> {
        let inner = &*self.inner;
        let counted = inner.accounts().and_then(|accounts| inner.charge_address(&caller).map(|()| accounts));
        let accounts = counted.inspect_err(|error| inner.record_failure(FORGOT, error, None, &caller))?;
        if let Ok(address) = EmailAddress::parse(request.email.expose()) {
            let key = accounts.address_key(address.as_str());
            inner.enqueue_mail(MailJob::Forgot { key, address: SecretText::new(address.as_str()) });
        }
        Ok(Accepted::default())
    }

    /// Uses up a mailed token and sets a new password; ends all sessions of the account.
    ///
    /// # Errors
    /// `TOKEN_INVALID` for what is no such token, was used, or was mailed before the password or the address changed; `TOKEN_EXPIRED`;
    /// `BODY_INVALID` for a weak password, which leaves the token as it is; `RATE_LIMITED`.
    pub async fn reset_password(&self, request: ResetRequest, caller: Caller<'_>) -> Result<()> {
        let answer = self.try_reset(request, &caller).await;
        answer.inspect_err(|error| self.inner.record_failure(RESET, error, None, &caller))
    }

    async fn try_reset(&self, request: ResetRequest, caller: &Caller<'_>) -> Result<()> {
        let inner = &*self.inner;
        let accounts = inner.accounts()?;
        inner.charge_address(caller)?;
        let (_, user) = inner.reset_token(request.token.expose()).await?;
        let name = user.body.display_name.as_deref().unwrap_or_default();
        request.password.check("/password", &[user.body.email.as_deref().unwrap_or_default(), name])?;
        let hash = accounts.hasher.hash(request.password, caller.network()).await?;
        for _ in 0..MAX_ATTEMPTS {
            let now = inner.now();
            let (token, user) = inner.reset_token(request.token.expose()).await?;
            let generation = user.body.generation + 1;
            // A change of address that waits may be somebody else's doing.
            let body = UserBody { password: Some(hash.clone()), generation, pending_email: None, ..user.body };
            let batch = Batch::spanning(now);
            let batch = batch.delete_system(MAIL_TOKEN, token.id, Expect::Version(token.version));
            let mut batch = records::put(batch, USER, user.id, &[], &body, Expect::Version(user.version))?;
            let sessions = inner.sessions_of(&body.user_id).await?;
            for session in &sessions {
                batch = batch.delete_system(SESSION, session.id.clone(), Expect::Any);
            }
            let resource = format!("users/{}", records::user_key(&body.user_id));
            let audit = inner.audit(now, RESET, resource, &body.user_id, caller.trace);
            match inner.records.commit(inner.records.system(), batch.audit(audit)).await {
                Ok(_) => {
                    inner.invalidate_sessions(&body, &sessions);
                    return Ok(());
                }
                Err(CommitError::Precondition { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(conflict_error(RESET))
    }
}

impl Inner {
    /// A reset token that is good now, and the account it is for: one that still has the address and the password it was mailed for.
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
