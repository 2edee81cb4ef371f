//! Mails about accounts: verification of addresses, password resets, invites.
//!
//! A [`Mailer`] delivers one [`Mail`]. [`Identity`](crate::Identity) composes mails, limits their rate, and sends them
//! in the background through its [`MailWorker`](crate::identity::MailWorker). [`FileMailer`] writes mails into a
//! folder, for development. `SmtpMailer` (feature `smtp`) sends them.

mod content;
mod counts;
mod file;
mod mailer;
#[cfg(feature = "testing")]
mod memory;
mod settings;
#[cfg(feature = "smtp")]
mod smtp;

#[cfg(feature = "testing")]
pub use self::memory::MemoryMailer;
#[cfg(feature = "smtp")]
pub use self::smtp::{SmtpMailer, SmtpSettings, SmtpTls};
pub(crate) use self::{content::MailContent, counts::MailCounters};
pub use self::{
    counts::MailCounts,
    file::FileMailer,
    mailer::{Mail, MailPurpose, Mailer},
    settings::MailSettings,
};
