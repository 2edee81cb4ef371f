//! What can be set.

use std::{net::SocketAddr, path::PathBuf};

use engines::{
    Limits,
    auth::{
        JwtSettings,
        control::RateSettings,
        identity::{AuthFailureSettings, IdentitySettings},
    },
    backup::BackupSettings,
    storage::retention::RetentionSettings,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{mail::MailSection, sqlite::SqliteSettings};
use crate::HttpSettings;

/// All settings of the server. A key of the TOML file `[http] head_bytes` is the variable `ENGINES_HTTP__HEAD_BYTES`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where to listen. Loopback unless told otherwise.
    pub listen: SocketAddr,
    /// The folder that holds everything.
    pub data: PathBuf,
    /// Where it is kept.
    pub store: StoreKind,
    /// Limits of the embedded store.
    pub sqlite: SqliteSettings,
    /// Credentials.
    pub auth: AuthSettings,
    /// Users, tenants and sessions: who may sign up, how long sessions last, how often one may try.
    pub identity: IdentitySettings,
    /// Mails about accounts: whether and how they leave.
    pub mail: MailSection,
    /// How many refused attempts are written into the control plane's audit log.
    pub rejections: AuthFailureSettings,
    /// Where backups go, when they are made and how long they are kept.
    pub backup: BackupSettings,
    /// How long data is kept where a tenant has no policy, and how eagerly what is older is removed.
    pub retention: RetentionSettings,
    /// Limits of HTTP.
    pub http: HttpSettings,
    /// Limits of everything else.
    pub limits: Limits,
    /// How often callers may do what, and how many streams they may hold open.
    pub rates: RateSettings,
    /// Metrics.
    pub metrics: MetricsSettings,
    /// Logs.
    pub log: LogSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            data: "engines-data".into(),
            store: StoreKind::default(),
            sqlite: SqliteSettings::default(),
            auth: AuthSettings::default(),
            identity: IdentitySettings::default(),
            mail: MailSection::default(),
            rejections: AuthFailureSettings::default(),
            backup: BackupSettings::default(),
            retention: RetentionSettings::default(),
            http: HttpSettings::default(),
            limits: Limits::default(),
            rates: RateSettings::default(),
            metrics: MetricsSettings::default(),
            log: LogSettings::default(),
        }
    }
}

/// Where everything is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoreKind {
    /// In one SQLite file in the data folder.
    #[default]
    Sqlite,
    /// In memory; nothing survives the process.
    Memory,
}

/// Credentials.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, JsonSchema, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthSettings {
    /// Who issues our own tokens (`iss`); `engines` if empty.
    pub issuer: String,
    /// For whom they are (`aud`); not looked at if empty.
    pub audience: Vec<String>,
    /// A file with the signing secret, for when neither `AUTH_JWT_SIGNING` nor `AUTH_JWT_SIGNING_FILE` is set.
    pub signing_secret_file: Option<PathBuf>,
    /// The signing secret's name (`kid`), which its tokens then carry; none if empty, as before the first rotation.
    pub signing_kid: String,
    /// Files with the secrets before it, as `path` or `kid:path`: they verify until their tokens have expired, and sign nothing.
    pub previous_signing_files: Vec<String>,
    /// A file with the root key, for when neither `ROOT_KEY` nor `ROOT_KEY_FILE` is set; without any, `root.key` in the data folder, which
    /// is made when it is not there. It must stay the same for as long as the data does.
    pub root_key_file: Option<PathBuf>,
    /// A file with the key of the bootstrap, for when neither `SYSTEM_BOOTSTRAP_KEY` nor `SYSTEM_BOOTSTRAP_KEY_FILE` is set; without any,
    /// the bootstrap is closed.
    pub system_key_file: Option<PathBuf>,
    /// A file with the keys that seal key slots (`id:base64` pairs separated by commas, the one that seals first), for when neither
    /// `SEAL_KEYS` nor `SEAL_KEYS_FILE` is set; without any, one is made from the root key.
    pub seal_keys_file: Option<PathBuf>,
    /// A file with the key that values in events are sealed with where a policy says `seal`, for when neither `VAULT_KEY` nor `VAULT_KEY_FILE`
    /// is set; without any, no policy can say so. `engines-server redact --open` puts values back for whoever has it.
    pub vault_key_file: Option<PathBuf>,
    /// Take files with secrets although others than their owner can read them, and a data folder that others can write to. For
    /// containers, where secrets are mounted with mode 0444 and volumes belong to a group. Default: no, so that the server refuses to start.
    pub allow_readable_secrets: bool,
}

impl AuthSettings {
    /// As the issuer and the verifier of tokens take them.
    #[must_use]
    pub fn jwt(&self) -> JwtSettings {
        let mut settings = JwtSettings::default();
        if !self.issuer.is_empty() {
            settings.issuer = self.issuer.as_str().into();
        }
        settings.audience = self.audience.iter().map(|audience| audience.as_str().into()).collect();
        settings
    }
}

/// Metrics.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, JsonSchema, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MetricsSettings {
    /// A listener of their own, open to whoever reaches it; without one they are at `/metrics`, for admins of `t_system`.
    pub listen: Option<SocketAddr>,
}

/// Logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogSettings {
    /// What is logged: `info`, or directives such as `info,engines_server=debug`.
    pub level: String,
    /// In which form.
    pub format: LogFormat,
    /// Whether what is logged goes through the PII engine first.
    pub scrub: bool,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { level: "info".into(), format: LogFormat::default(), scrub: true }
    }
}

/// The form of logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}
