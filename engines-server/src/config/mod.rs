//! Settings: defaults, then a TOML file, then `ENGINES_*` variables, then flags; what is unknown is named and refused.

mod load;
mod reference;
mod secret;
mod settings;
mod sqlite;

pub(crate) use self::secret::{from_file as secret_from_file, root_from_file};
pub use self::{
    load::{Fault, Flags, load},
    reference::{Entry, Table, tables, to_markdown, to_toml},
    secret::{
        ROOT_KEY, SEAL_KEYS, SECRET, SECRET_FILE, SECRET_VARIABLES, SYSTEM_KEY, VAULT_KEY, root_key, seal_keys,
        signing_keys, signing_secret, system_key, vault_key,
    },
    settings::{AuthSettings, LogFormat, LogSettings, MetricsSettings, Settings, StoreKind},
    sqlite::SqliteSettings,
};
