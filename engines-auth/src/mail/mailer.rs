//! What delivers a mail, and what a mail is.

use std::fmt;

use async_trait::async_trait;
use engines_core::{Result, Timestamp, context::Email};
use ulid::Ulid;

use crate::secret::SecretText;

/// Delivers mails, one at a time.
///
/// It is called from a background task, never while a request waits. It must end within a bounded time by itself.
#[async_trait]
pub trait Mailer: Send + Sync + fmt::Debug {
    /// Delivers `mail`, or hands it to something that does.
    ///
    /// # Errors
    /// An error of the kind [`Unavailable`](engines_core::ErrorKind::Unavailable) is retried, every other one is final. Errors must name
    /// neither the recipient nor the text, because they are logged.
    async fn send(&self, mail: &Mail) -> Result<()>;
}

/// What a mail is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MailPurpose {
    /// Proves that an address belongs to an account, also after a change of address.
    Verify,
    /// Resets a password.
    Reset,
    /// Says that no password can be reset, because no account has proved the address.
    ResetUnknown,
    /// Invites to a tenant.
    Invite,
    /// Tells the former address of an account that the account has another one now.
    AddressChanged,
}

impl MailPurpose {
    /// A short name for logs and file names.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Reset => "reset",
            Self::ResetUnknown => "reset_unknown",
            Self::Invite => "invite",
            Self::AddressChanged => "address_changed",
        }
    }
}

/// A mail: plain text to one recipient. It does not print itself, because it holds an address and mostly a token.
#[derive(Clone)]
pub struct Mail {
    id: Ulid,
    at: Timestamp,
    purpose: MailPurpose,
    to: Email,
    subject: String,
    text: SecretText,
}

impl Mail {
    pub(crate) fn new(
        id: Ulid,
        at: Timestamp,
        purpose: MailPurpose,
        to: Email,
        subject: String,
        text: SecretText,
    ) -> Self {
        Self { id, at, purpose, to, subject, text }
    }

    /// An id that stays the same when the mail is sent again after a failure; for the header `Message-ID`.
    #[must_use]
    pub fn id(&self) -> Ulid {
        self.id
    }

    /// When it was composed; for the header `Date`.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// What it is for.
    #[must_use]
    pub fn purpose(&self) -> MailPurpose {
        self.purpose
    }

    /// The recipient: an address without a display name, without control characters and blanks.
    #[must_use]
    pub fn to(&self) -> &str {
        self.to.expose()
    }

    /// The subject: one line without anything a user chose.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The text, with `\n` at the end of each line.
    #[must_use]
    pub fn text(&self) -> &str {
        self.text.expose()
    }
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail").field("id", &self.id).field("purpose", &self.purpose).finish_non_exhaustive()
    }
}
