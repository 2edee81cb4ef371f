//! Settings: defaults, then a TOML file, then `ENGINES_*` variables, then flags; what is unknown is named and refused.

mod load;
mod secret;
mod settings;

pub(crate) use self::secret::from_file as secret_from_file;
pub use self::{
    load::{Fault, Flags, load},
    secret::{SECRET, SECRET_FILE, signing_secret},
    settings::{AuthSettings, LogFormat, LogSettings, MetricsSettings, Settings, StoreKind},
};
