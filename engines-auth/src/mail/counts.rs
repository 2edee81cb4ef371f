//! Counters of mails.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of mails since the start of the process. Read them with
/// [`Identity::mail_counts`](crate::identity::Identity::mail_counts).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MailCounts {
    /// Mails that were put into the queue. Each ends as sent, failed, needless or dropped.
    pub queued: u64,
    /// Mails that the mailer took.
    pub sent: u64,
    /// Mails that were given up, because the mailer refused them or no attempt succeeded.
    pub failed: u64,
    /// Mails that were not composed, because no account has the address, or the address has received too many.
    pub needless: u64,
    /// Mails that did not fit into the queue (these are not counted as queued), or were not sent because the process
    /// stops.
    pub dropped: u64,
    /// Mails that wait in the queue now.
    pub waiting: usize,
}

/// The counters that [`MailCounts`] is read from.
#[derive(Debug, Default)]
pub(crate) struct MailCounters {
    pub(crate) queued: Counter,
    pub(crate) sent: Counter,
    pub(crate) failed: Counter,
    pub(crate) needless: Counter,
    pub(crate) dropped: Counter,
}

impl MailCounters {
    pub(crate) fn read(&self, waiting: usize) -> MailCounts {
        MailCounts {
            queued: self.queued.get(),
            sent: self.sent.get(),
            failed: self.failed.get(),
            needless: self.needless.get(),
            dropped: self.dropped.get(),
            waiting,
        }
    }
}

/// A counter that only increases.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: usize) {
        self.0.fetch_add(count as u64, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
