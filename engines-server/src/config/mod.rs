//! Settings: defaults, then a TOML file, then `ENGINES_*` variables, then flags; what is unknown is named and refused.

mod backup;
mod load;
mod mail;
mod reference;
mod secret;
mod settings;
mod sqlite;

pub(crate) use self::backup::passphrase_from_file;
pub(crate) use self::secret::{check_private, from_file as secret_from_file, root_from_file};
pub use self::{
    backup::{BACKUP_PASSPHRASE, backup_passphrase},
    load::{Fault, Flags, load},
    mail::{MailKind, MailSection},
    reference::{Entry, Table, tables, to_markdown, to_toml},
    secret::{
        MAIL_PASSWORD, ROOT_KEY, SEAL_KEYS, SECRET, SECRET_FILE, SECRET_VARIABLES, SYSTEM_KEY, VAULT_KEY,
        mail_password, root_key, seal_keys, signing_keys, signing_secret, system_key, vault_key,
    },
    settings::{AuthSettings, LogFormat, LogSettings, MetricsSettings, Settings, StoreKind},
    sqlite::SqliteSettings,
};
