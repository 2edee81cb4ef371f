//! The settings of the server.

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

/// All settings of the server. The key `head_bytes` in the table `[http]` of the TOML file is the variable
/// `ENGINES_HTTP__HEAD_BYTES`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The address to listen on. The default is reachable from the same machine only.
    pub listen: SocketAddr,
    /// The data folder.
    pub data: PathBuf,
    /// The kind of store.
    pub store: StoreKind,
    /// Limits of the embedded store.
    pub sqlite: SqliteSettings,
    /// Credentials: who issues tokens, and which keys and secrets are used.
    pub auth: AuthSettings,
    /// Users, tenants and sessions: who may sign up, how long sessions last, and the limits on attempts.
    pub identity: IdentitySettings,
    /// Mails about accounts: how they are delivered, and what they contain.
    pub mail: MailSection,
    /// The limits on the number of refused attempts in the control plane's audit log.
    pub rejections: AuthFailureSettings,
    /// The destination, schedule and retention of backups.
    pub backup: BackupSettings,
    /// How long data is kept for tenants without a policy, and the limits on the work of removing old data.
    pub retention: RetentionSettings,
    /// Limits of HTTP.
    pub http: HttpSettings,
    /// Limits of requests, events, canvases and streams.
    pub limits: Limits,
    /// Rate limits, and the number of streams that a caller may hold open.
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

/// The kind of store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoreKind {
    /// One SQLite file in the data folder.
    #[default]
    Sqlite,
    /// Memory. All data is lost when the process ends.
    Memory,
}

/// Credentials: who issues tokens, and which keys and secrets are used.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, JsonSchema, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthSettings {
    /// The issuer (`iss`) of the server's own tokens. `engines` if empty.
    pub issuer: String,
    /// The accepted audiences (`aud`). Not checked if empty.
    pub audience: Vec<String>,
    /// A file with the signing secret. It is used if neither `AUTH_JWT_SIGNING` nor `AUTH_JWT_SIGNING_FILE` is set.
    pub signing_secret_file: Option<PathBuf>,
    /// The name (`kid`) of the signing secret, which its tokens carry. If empty, tokens carry none, as before the first
    /// rotation.
    pub signing_kid: String,
    /// Files with previous signing secrets, as `path` or `kid:path`. They verify tokens until those have expired, and
    /// sign none.
    pub previous_signing_files: Vec<String>,
    /// A file with the root key. It is used if neither `ROOT_KEY` nor `ROOT_KEY_FILE` is set. By default, `root.key` in
    /// the data folder, which is created if it does not exist. The root key must not change for as long as the data
    /// exists.
    pub root_key_file: Option<PathBuf>,
    /// A file with the bootstrap key. It is used if neither `SYSTEM_BOOTSTRAP_KEY` nor `SYSTEM_BOOTSTRAP_KEY_FILE` is
    /// set. Without a key, bootstrap is off.
    pub system_key_file: Option<PathBuf>,
    /// A file with the keys that seal key slots: `id:base64` pairs separated by commas, of which the first seals. It is
    /// used if neither `SEAL_KEYS` nor `SEAL_KEYS_FILE` is set. By default, a key is derived from the root key.
    pub seal_keys_file: Option<PathBuf>,
    /// A file with the key that seals values in events where a policy has the operator `seal`. It is used if neither
    /// `VAULT_KEY` nor `VAULT_KEY_FILE` is set. Without a key, no policy can use `seal`. With the key, `engines-server
    /// redact --open` restores values.
    pub vault_key_file: Option<PathBuf>,
    /// Accept files with secrets that others than their owner can read, and a data folder that others can write to. For
    /// containers, where secrets are mounted with mode 0444 and volumes belong to a group. By default, the server
    /// refuses to start with such files.
    pub allow_readable_secrets: bool,
}

impl AuthSettings {
    /// Returns the settings of the issuer and the verifier of tokens.
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

/// Metrics: where they can be read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, JsonSchema, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MetricsSettings {
    /// The address of a separate listener for metrics, which needs no credential. Without one, admins of `t_system` can
    /// read them at `/metrics`.
    pub listen: Option<SocketAddr>,
}

/// Logs: their level and format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogSettings {
    /// The level: `info`, or directives such as `info,engines_server=debug`.
    pub level: String,
    /// The format.
    pub format: LogFormat,
    /// Whether the PII engine scrubs messages before they are logged.
    pub scrub: bool,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { level: "info".into(), format: LogFormat::default(), scrub: true }
    }
}

/// The format of logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// `pretty` if standard error is a terminal, otherwise `json`.
    #[default]
    Auto,
    /// For people to read.
    Pretty,
    /// One JSON object on each line.
    Json,
}
