//! A bounded queue of mails.
//!
//! A request only adds a job to the queue. The worker looks up whether an address has an account, so neither the
//! response nor its time reveals this.

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use engines_core::{Result, Role, UserId};
use tokio::sync::mpsc::{self, error::TrySendError};

use crate::{
    mail::{MailCounters, MailCounts, MailSettings, Mailer},
    secret::SecretText,
};

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
    pub(super) mailer: Arc<dyn Mailer>,
    pub(super) settings: MailSettings,
    sender: mpsc::Sender<MailJob>,
    pub(super) receiver: Mutex<Option<mpsc::Receiver<MailJob>>>,
    pub(super) counters: MailCounters,
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

    pub(super) fn counts(&self) -> MailCounts {
        self.counters.read(self.sender.max_capacity() - self.sender.capacity())
    }
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
