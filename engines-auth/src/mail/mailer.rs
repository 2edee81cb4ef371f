//! The trait of mailers, and the mail type.

use std::fmt;

use async_trait::async_trait;
use engines_core::{Result, Timestamp, context::Email};
use ulid::Ulid;

use crate::secret::SecretText;

/// Delivers mails, one at a time.
///
/// It is called from a background task, never while a request waits. A delivery must end within a bounded time.
#[async_trait]
pub trait Mailer: Send + Sync + fmt::Debug {
    /// Delivers `mail`, or hands it to a service that does.
    ///
    /// # Errors
    /// An error of the kind [`Unavailable`](engines_core::ErrorKind::Unavailable) is retried. All others are final.
    /// Errors are logged, so they must not contain the recipient or the text.
    async fn send(&self, mail: &Mail) -> Result<()>;
}

/// The purpose of a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MailPurpose {
    /// Verifies that an address belongs to an account, also after a change of address.
    Verify,
    /// Resets a password.
    Reset,
    /// Says that no password can be reset, because no account has verified the address.
    ResetUnknown,
    /// Invites to a tenant.
    Invite,
    /// Tells the former address of an account that the account has another one.
    AddressChanged,
}

impl MailPurpose {
    /// Returns a short name for logs and file names.
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

/// A mail: plain text to one recipient. Its `Debug` output contains neither the address nor the text, which usually has
/// a token.
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

    /// Returns the id for the header `Message-ID`. It stays the same when the mail is sent again after a failure.
    #[must_use]
    pub fn id(&self) -> Ulid {
        self.id
    }

    /// Returns the time of composition, for the header `Date`.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// Returns the purpose.
    #[must_use]
    pub fn purpose(&self) -> MailPurpose {
        self.purpose
    }

    /// Returns the recipient: an address without a display name, control characters and white space.
    #[must_use]
    pub fn to(&self) -> &str {
        self.to.expose()
    }

    /// Returns the subject: one line without text from users.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Returns the text, with `\n` at the end of each line.
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
