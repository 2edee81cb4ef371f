//! A mailer that keeps mails in memory, for tests. Requires the feature `testing`.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use engines_core::{Error, Result};

use super::{Mail, MailPurpose, Mailer};

/// Keeps mails in memory, and can be set to fail. Clones share their mails.
#[derive(Clone, Default)]
pub struct MemoryMailer(Arc<Mutex<MailboxState>>);

#[derive(Default)]
struct MailboxState {
    mails: Vec<Mail>,
    failures: usize,
    attempts: usize,
}

impl MemoryMailer {
    /// Returns all mails that were sent, the oldest first.
    #[must_use]
    pub fn mails(&self) -> Vec<Mail> {
        self.with_state(|state| state.mails.clone())
    }

    /// Returns the newest mail to `address` for `purpose`.
    #[must_use]
    pub fn last(&self, address: &str, purpose: MailPurpose) -> Option<Mail> {
        self.mails().into_iter().rev().find(|mail| mail.to() == address && mail.purpose() == purpose)
    }

    /// Returns the token in the newest mail to `address` for `purpose`: the line between two empty ones.
    #[must_use]
    pub fn token(&self, address: &str, purpose: MailPurpose) -> Option<String> {
        self.last(address, purpose)?.text().split("\n\n").nth(1).map(str::to_owned)
    }

    /// Makes the next `count` attempts fail with an error that is retried.
    pub fn fail_next(&self, count: usize) {
        self.with_state(|state| state.failures = count);
    }

    /// Returns the number of attempts to send.
    #[must_use]
    pub fn attempts(&self) -> usize {
        self.with_state(|state| state.attempts)
    }

    fn with_state<T>(&self, work: impl FnOnce(&mut MailboxState) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl Mailer for MemoryMailer {
    async fn send(&self, mail: &Mail) -> Result<()> {
        self.with_state(|state| {
            state.attempts += 1;
            if state.failures > 0 {
                state.failures -= 1;
                return Err(Error::unavailable("mail.memory", "set to fail"));
            }
            state.mails.push(mail.clone());
            Ok(())
        })
    }
}

impl fmt::Debug for MemoryMailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryMailer")
    }
}
