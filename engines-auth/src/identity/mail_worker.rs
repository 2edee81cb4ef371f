//! The worker that sends mails in the background: it looks up accounts, mints tokens and sends.

use std::{sync::PoisonError, time::Duration};

use engines_core::{ErrorKind, Result};
use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::sync::mpsc;

use super::{
    documents::TokenPurpose,
    mail_queue::{MailJob, MailQueue},
    service::Identity,
    state::IdentityState,
};
use crate::mail::{Mail, MailContent, MailCounts};

/// The time that mails in progress get when the process stops.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);

/// Sends the mails of an [`Identity`]. Run [`MailWorker::run_until`] in a task.
#[derive(Debug)]
pub struct MailWorker {
    identity: Identity,
    receiver: mpsc::Receiver<MailJob>,
}

impl Identity {
    /// Returns the worker that sends the mails of this service. Returns `None` without a mailer, and after the first
    /// call.
    #[must_use]
    pub fn mail_worker(&self) -> Option<MailWorker> {
        let mails = self.state.mail_queue.as_ref()?;
        let receiver = mails.receiver.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some(MailWorker { identity: self.clone(), receiver })
    }

    /// Returns counters of the mails of this service, or `None` without a mailer.
    #[must_use]
    pub fn mail_counts(&self) -> Option<MailCounts> {
        self.state.mail_queue.as_ref().map(MailQueue::counts)
    }
}

impl MailWorker {
    /// Sends mails until `stop` completes. Mails in progress then have five seconds to finish. Mails that wait are
    /// dropped, and the log has their number.
    pub async fn run_until(mut self, stop: impl Future<Output = ()>) {
        let state = &*self.identity.state;
        let Some(mails) = &state.mail_queue else { return };
        let mut sending = FuturesUnordered::new();
        let mut stop = std::pin::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                Some(()) = sending.next(), if !sending.is_empty() => {}
                job = self.receiver.recv(), if sending.len() < mails.settings.concurrency => match job {
                    Some(job) => sending.push(state.deliver(mails, job)),
                    None => break,
                },
            }
        }
        self.receiver.close();
        let rest = async { while sending.next().await.is_some() {} };
        let _cut = tokio::time::timeout(SHUTDOWN_GRACE, rest).await;
        let (cut, waiting) = (sending.len(), self.receiver.len());
        if cut + waiting > 0 {
            mails.counters.dropped.add(cut + waiting);
            tracing::warn!(waiting, cut, "mails were not sent because the process stops");
        }
    }
}

impl IdentityState {
    /// Queues a mail, if there is a mailer.
    pub(super) fn enqueue_mail(&self, job: MailJob) {
        if let Some(mails) = &self.mail_queue {
            mails.enqueue(job);
        }
    }

    /// Sends one mail, with retries. Failures are logged without address and token.
    async fn deliver(&self, mails: &MailQueue, job: MailJob) {
        let (mut attempt, mut composed) = (1, None);
        let error = loop {
            let tried = async {
                if composed.is_none() {
                    composed = self.compose(mails, &job).await?;
                }
                match &composed {
                    Some(mail) => mails.mailer.send(mail).await,
                    // There is no recipient.
                    None => Ok(()),
                }
            };
            match tried.await {
                Ok(()) => break None,
                Err(error) if error.kind() == ErrorKind::Unavailable && attempt < mails.settings.attempts => {
                    tracing::debug!(attempt, %error, "a mail could not be sent; it is tried again");
                    tokio::time::sleep(mails.settings.wait_after(attempt)).await;
                    attempt += 1;
                }
                Err(error) => break Some(error),
            }
        };
        match (error, composed) {
            (Some(error), mail) => {
                let purpose = mail.map(|mail| mail.purpose().as_str());
                mails.counters.failed.add(1);
                tracing::warn!(purpose, attempt, %error, "a mail could not be sent and was dropped");
            }
            (None, Some(mail)) => {
                mails.counters.sent.add(1);
                tracing::debug!(purpose = mail.purpose().as_str(), attempt, "a mail was sent");
            }
            (None, None) => mails.counters.needless.add(1),
        }
    }

    /// Composes the mail of a job. Returns `None` when there is no recipient, or too many mails were sent to the
    /// address.
    async fn compose(&self, mails: &MailQueue, job: &MailJob) -> Result<Option<Mail>> {
        let (address, message) = match job {
            MailJob::Verify { user, key } => {
                let Some(found) = self.user(user).await?.filter(|user| !user.body.disabled) else { return Ok(None) };
                let Some(address) = self.claimed_address(&found.body, key)? else { return Ok(None) };
                if !self.take_mail_quota(mails, "mail.verify", key) {
                    return Ok(None);
                }
                let token = self.mint_token(mails, &found.body, key, TokenPurpose::Verify).await?;
                (address.to_owned(), MailContent::Verify { token })
            }
            MailJob::Forgot { key, address } => {
                let entry = self.address_entry(key).await?;
                let Some(holder) = entry.holder() else {
                    // The caller may own the mailbox but none of the accounts that claim the address, so none of them
                    // is reset.
                    let is_notified = !entry.claims().is_empty() && self.take_mail_quota(mails, "mail.reset", key);
                    let message = is_notified.then_some(MailContent::ResetUnknown);
                    return Ok(message.map(|message| self.build_mail(mails, &message, address.expose())));
                };
                let found = self.user(holder).await?.filter(|user| !user.body.disabled);
                let Some(found) = found else { return Ok(None) };
                let Some(address) = found.body.verified_email().map(str::to_owned) else { return Ok(None) };
                if !self.take_mail_quota(mails, "mail.reset", key) {
                    return Ok(None);
                }
                let token = self.mint_token(mails, &found.body, key, TokenPurpose::Reset).await?;
                (address, MailContent::Reset { token })
            }
            MailJob::Invite { key, address, token, tenant, role, days } => {
                if !self.take_mail_quota(mails, "mail.invite", key) {
                    return Ok(None);
                }
                let (token, tenant) = (token.clone(), tenant.clone());
                (address.expose().to_owned(), MailContent::Invite { token, tenant, role: *role, days: *days })
            }
            MailJob::AddressChanged { key, address } => {
                if !self.take_mail_quota(mails, "mail.changed", key) {
                    return Ok(None);
                }
                (address.expose().to_owned(), MailContent::AddressChanged)
            }
        };
        Ok(Some(self.build_mail(mails, &message, &address)))
    }

    fn build_mail(&self, mails: &MailQueue, message: &MailContent, address: &str) -> Mail {
        let now = self.now();
        message.to_mail(self.guard.ids().ulid(now), now, address, &mails.settings)
    }

    /// Counts a mail to an address. Beyond the limit nothing is sent, and the caller gets no error.
    fn take_mail_quota(&self, mails: &MailQueue, what: &'static str, key: &str) -> bool {
        self.throttle.take(what, key, mails.settings.per_address(), self.now()).is_ok()
    }
}
