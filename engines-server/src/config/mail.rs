//! Settings of mails about accounts.

use std::path::{Path, PathBuf};

use engines::{
    EngineBuilder, Result,
    auth::{
        SecretText,
        mail::{FileMailer, MailSettings, SmtpMailer, SmtpSettings},
    },
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The name of the folder of mails in the data folder.
const FOLDER: &str = "mail";

/// Mails about accounts: `[mail]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, JsonSchema, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MailSection {
    /// How mails are delivered.
    pub kind: MailKind,
    /// The folder for `kind = "file"`. By default, `mail` in the data folder.
    pub folder: Option<PathBuf>,
    /// A file with the mail server's password. It is used if neither `MAIL_PASSWORD` nor `MAIL_PASSWORD_FILE` is set.
    pub password_file: Option<PathBuf>,
    /// The mail server, for `kind = "smtp"`.
    pub smtp: SmtpSettings,
    /// The content of mails, and the limits on their number.
    pub messages: MailSettings,
}

/// How mails are delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailKind {
    /// To files with `engines-server dev`; not at all with `engines-server serve`.
    #[default]
    Auto,
    /// Not at all: addresses stay unverified until an operator marks them, and nobody can reset a forgotten password.
    None,
    /// To one file each in a folder, for development: whoever can read the folder can take over accounts.
    File,
    /// To a mail server.
    Smtp,
}

impl MailSection {
    /// Returns the kind that `engines-server dev` uses.
    #[must_use]
    pub fn in_development(self) -> Self {
        match self.kind {
            MailKind::Auto => Self { kind: MailKind::File, ..self },
            _ => self,
        }
    }

    /// Returns the folder of mails, if they are delivered to files.
    #[must_use]
    pub fn folder_in(&self, data: &Path) -> Option<PathBuf> {
        (self.kind == MailKind::File).then(|| self.folder.clone().unwrap_or_else(|| data.join(FOLDER)))
    }

    /// Adds the configured mailer to the engine.
    ///
    /// # Errors
    /// The folder cannot be created, or settings of the mail server are out of their limits.
    pub fn apply(&self, builder: EngineBuilder, data: &Path, password: Option<&SecretText>) -> Result<EngineBuilder> {
        let messages = self.messages.clone();
        Ok(match (self.kind, self.folder_in(data)) {
            (MailKind::Smtp, _) => builder.mailer(SmtpMailer::new(&self.smtp, password)?, messages),
            (_, Some(folder)) => builder.mailer(FileMailer::new(folder)?, messages),
            (MailKind::Auto | MailKind::None | MailKind::File, _) => builder,
        })
    }
}
