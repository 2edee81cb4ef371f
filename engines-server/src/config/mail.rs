//! How mails about accounts leave.

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

/// The folder of mails in the data folder.
const FOLDER: &str = "mail";

/// Mails about accounts: `[mail]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, JsonSchema, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MailSection {
    /// What delivers them.
    pub kind: MailKind,
    /// The folder for `kind = "file"`; `mail` in the data folder without one.
    pub folder: Option<PathBuf>,
    /// A file with the mail server's password, for when neither `MAIL_PASSWORD` nor `MAIL_PASSWORD_FILE` is set.
    pub password_file: Option<PathBuf>,
    /// The mail server, for `kind = "smtp"`.
    pub smtp: SmtpSettings,
    /// What mails say, and how many are sent.
    pub messages: MailSettings,
}

/// What delivers mails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailKind {
    /// Files with `engines-server dev`, nothing with `engines-server serve`.
    #[default]
    Auto,
    /// Nothing: addresses stay unverified until an operator marks them, and nobody resets a forgotten password.
    None,
    /// A file each in a folder, for development: whoever reads the folder can take accounts over.
    File,
    /// A mail server.
    Smtp,
}

impl MailSection {
    /// As `engines-server dev` takes it.
    #[must_use]
    pub fn in_development(self) -> Self {
        match self.kind {
            MailKind::Auto => Self { kind: MailKind::File, ..self },
            _ => self,
        }
    }

    /// The folder that mails are written into, if they are.
    #[must_use]
    pub fn folder_in(&self, data: &Path) -> Option<PathBuf> {
        (self.kind == MailKind::File).then(|| self.folder.clone().unwrap_or_else(|| data.join(FOLDER)))
    }

    /// Gives the engine its mailer.
    ///
    /// # Errors
    /// A folder that cannot be made, or settings of a mail server that are out of their limits.
    pub fn apply(&self, builder: EngineBuilder, data: &Path, password: Option<&SecretText>) -> Result<EngineBuilder> {
        let messages = self.messages.clone();
        Ok(match (self.kind, self.folder_in(data)) {
            (MailKind::Smtp, _) => builder.mailer(SmtpMailer::new(&self.smtp, password)?, messages),
            (_, Some(folder)) => builder.mailer(FileMailer::new(folder)?, messages),
            (MailKind::Auto | MailKind::None | MailKind::File, _) => builder,
        })
    }
}
