//! The settings, in layers: defaults, a TOML file, `ENGINES_*` variables, flags. An unknown name is an error that
//! states it.

mod backup;
mod loader;
mod mail;
mod reference;
mod secret_source;
mod secrets;
mod settings;
mod sqlite;

pub(crate) use self::{
    backup::passphrase_from_file,
    secret_source::check_private,
    secrets::{root_key_from_file, signing_secret_from_file as secret_from_file},
};
pub use self::{
    backup::{BACKUP_PASSPHRASE, backup_passphrase},
    loader::{Flags, SettingsError, load},
    mail::{MailKind, MailSection},
    reference::{SettingEntry, SettingTable, tables, to_markdown, to_toml},
    secrets::{
        MAIL_PASSWORD, ROOT_KEY, SEAL_KEYS, SECRET_VARIABLES, SIGNING_SECRET, SIGNING_SECRET_FILE, SYSTEM_KEY,
        VAULT_KEY, mail_password, root_key, seal_keys, signing_keys, signing_secret, system_key, vault_key,
    },
    settings::{AuthSettings, LogFormat, LogSettings, MetricsSettings, Settings, StoreKind},
    sqlite::SqliteSettings,
};
