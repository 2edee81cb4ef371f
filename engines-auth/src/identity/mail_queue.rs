//! Background mail: a bounded queue of jobs, and the worker that looks up accounts, mints tokens and sends.
//!
//! A request only adds a job to the queue. The worker looks up whether an address has an account, so neither the
//! response nor its time reveals this.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use engines_core::{Batch, DocId, Error, ErrorKind, Result, Role, UserId, nexus::Expect};
use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::sync::mpsc::{self, error::TrySendError};

use super::{
    documents::{MailTokenBody, TokenPurpose, UserBody},
    opaque_token::OpaqueTokenKind,
    records::{self, MAIL_TOKEN},
    service::{Identity, Inner},
};
use crate::{
    mail::{MailContent, MailCounters, MailCounts, MailSettings, Mailer},
    secret::SecretText,
};

pub(super) const VERIFY_TOKEN: OpaqueTokenKind = OpaqueTokenKind("ev");
pub(super) const RESET_TOKEN: OpaqueTokenKind = OpaqueTokenKind("pr");

/// The time that mails in progress get when the process stops.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);

/// A mail to send.
pub(super) enum MailJob {
    /// A token that verifies the user's address with this key.
    Verify { user: UserId, key: String },
    /// A token that resets the password of the account that has verified this address.
    Forgot { key: String, address: SecretText },
    /// An invite with its token.
    Invite { key: String, address: SecretText, token: SecretText, tenant: String, role: Role, days: u64 },
    /// A notice to the former address of an account.
    AddressChanged { key: String, address: SecretText },
}

/// The queue, the mailer and the counters.
pub(crate) struct MailQueue {
    mailer: Arc<dyn Mailer>,
    pub(super) settings: MailSettings,
    sender: mpsc::Sender<MailJob>,
    receiver: Mutex<Option<mpsc::Receiver<MailJob>>>,
    counters: MailCounters,
}

impl MailQueue {
    pub(super) fn new(mailer: Arc<dyn Mailer>, settings: MailSettings) -> Result<Self> {
        let settings = settings.validated()?;
        let (sender, receiver) = mpsc::channel(settings.queue);
        Ok(Self { mailer, settings, sender, receiver: Mutex::new(Some(receiver)), counters: MailCounters::default() })
    }

    /// Adds a job without waiting. The job is dropped when the queue is full or the worker has stopped.
    pub(super) fn enqueue(&self, job: MailJob) {
        let reason = match self.sender.try_send(job) {
            Ok(()) => return self.counters.queued.add(1),
            Err(TrySendError::Full(_)) => "the queue is full",
            Err(TrySendError::Closed(_)) => "the worker has stopped",
        };
        self.counters.dropped.add(1);
        tracing::warn!(queue = self.settings.queue, reason, "a mail was dropped");
    }

    fn counts(&self) -> MailCounts {
        self.counters.read(self.sender.max_capacity() - self.sender.capacity())
    }
}

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
        let mails = self.inner.mail_queue.as_ref()?;
        let receiver = mails.receiver.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some(MailWorker { identity: self.clone(), receiver })
    }

    /// Returns counters of the mails of this service, or `None` without a mailer.
    #[must_use]
    pub fn mail_counts(&self) -> Option<MailCounts> {
        self.inner.mail_queue.as_ref().map(MailQueue::counts)
    }
}

impl MailWorker {
    /// Sends mails until `stop` completes. Mails in progress then have five seconds to finish. Mails that wait are
    /// dropped, and the log has their number.
    pub async fn run_until(mut self, stop: impl Future<Output = ()>) {
        let inner = &*self.identity.inner;
        let Some(mails) = &inner.mail_queue else { return };
        let mut sending = FuturesUnordered::new();
        let mut stop = std::pin::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                Some(()) = sending.next(), if !sending.is_empty() => {}
                job = self.receiver.recv(), if sending.len() < mails.settings.concurrency => match job {
                    Some(job) => sending.push(inner.deliver(mails, job)),
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

impl Inner {
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
    async fn compose(&self, mails: &MailQueue, job: &MailJob) -> Result<Option<crate::mail::Mail>> {
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
                    let told = !entry.claims().is_empty() && self.take_mail_quota(mails, "mail.reset", key);
                    let message = told.then_some(MailContent::ResetUnknown);
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

    fn build_mail(&self, mails: &MailQueue, message: &MailContent, address: &str) -> crate::mail::Mail {
        let now = self.now();
        message.to_mail(self.guard.ids().ulid(now), now, address, &mails.settings)
    }

    /// Counts a mail to an address. Beyond the limit nothing is sent, and the caller gets no error.
    fn take_mail_quota(&self, mails: &MailQueue, what: &'static str, key: &str) -> bool {
        self.throttle.take(what, key, mails.settings.per_address(), self.now()).is_ok()
    }

    /// Mints a token for a purpose, an account and an address, and stores its record.
    async fn mint_token(
        &self,
        mails: &MailQueue,
        user: &UserBody,
        key: &str,
        purpose: TokenPurpose,
    ) -> Result<SecretText> {
        let kind = match purpose {
            TokenPurpose::Verify => VERIFY_TOKEN,
            TokenPurpose::Reset => RESET_TOKEN,
        };
        let now = self.now();
        let id = self.guard.ids().ulid(now);
        let (token, hash) = kind.mint(id, self.guard.ids());
        let body = MailTokenBody {
            purpose,
            hash,
            user_id: user.user_id.clone(),
            generation: user.generation,
            address: key.to_owned(),
            expires_at: now.plus(mails.settings.token_ttl()),
        };
        let tags = [records::user_tag(&user.user_id)];
        let batch = records::put(Batch::spanning(now), MAIL_TOKEN, id, &tags, &body, Expect::Absent)?;
        self.records.commit(self.records.system(), batch).await?;
        Ok(token)
    }

    /// Returns the record of a mailed token that is valid for `purpose` now.
    ///
    /// # Errors
    /// `TOKEN_INVALID` for an unknown or used token; `TOKEN_EXPIRED`.
    pub(super) async fn mailed_token(
        &self,
        operation: &'static str,
        token: &str,
        purpose: TokenPurpose,
    ) -> Result<records::StoredDocument<MailTokenBody>> {
        let kind = match purpose {
            TokenPurpose::Verify => VERIFY_TOKEN,
            TokenPurpose::Reset => RESET_TOKEN,
        };
        let id = DocId::from(kind.id(token).ok_or_else(invalid_token)?);
        let found = self.records.get::<MailTokenBody>(&MAIL_TOKEN, &id).await?;
        let found = found.filter(|found| found.body.purpose == purpose && found.body.hash.matches(token));
        let found = found.ok_or_else(invalid_token)?;
        if self.now() >= found.body.expires_at {
            let detail = "the mailed token has expired; ask for another";
            return Err(Error::new(engines_core::Code::TokenExpired, operation, detail));
        }
        Ok(found)
    }
}

pub(super) fn invalid_token() -> Error {
    crate::jwt::invalid_token("the mailed token is unknown or was used; ask for another")
}

impl fmt::Debug for MailJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MailJob(…)")
    }
}

impl fmt::Debug for MailQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailQueue")
            .field("mailer", &self.mailer)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
