//! What can be said on the command line.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use engines::{Role, core::pii::Operator};

use super::{
    BackupArgs,
    operation_args::{DoctorArgs, MigrateArgs, SettingsArgs, TenantCommand},
};
use crate::config::{Flags, SECRET_VARIABLES};

/// The engines server.
#[derive(Debug, Parser)]
#[command(name = "engines-server", version, about, long_about = None, after_help = secret_variables())]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The variables that hold secrets, for the help text.
fn secret_variables() -> String {
    let mut text =
        String::from("Secrets, in the environment (or in a file that the variable with _FILE behind its name names):");
    for (variable, meaning) in SECRET_VARIABLES {
        text.push_str(&format!("\n  {variable:<22} {meaning}"));
    }
    text.push_str("\n\nEvery setting is a variable too: ENGINES_HTTP__HEAD_BYTES is head_bytes of [http]; `engines-server settings` prints all.");
    text
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start with everything made for you: data, a secret, tenants, a token, and curl lines to paste
    Dev(ServeArgs),
    /// Start
    Serve(ServeArgs),
    /// Mint an access token with the signing secret
    Token(TokenArgs),
    /// Copy text or JSON lines without personal data and secrets; needs no settings, secret or data
    Redact(RedactArgs),
    /// Take a tenant out as an archive, put one in, or copy one
    #[command(subcommand)]
    Tenant(TenantCommand),
    /// Move everything from one store to another
    Migrate(MigrateArgs),
    /// Look the deployment over; exit code 1 for problems, 3 when it could not be looked at
    Doctor(DoctorArgs),
    /// Print all settings with comments and defaults, as a TOML file
    Settings(SettingsArgs),
    /// Make, list, verify and restore backups of everything
    Backup(BackupArgs),
}

/// How to start.
#[derive(Debug, Clone, Default, ClapArgs)]
pub struct ServeArgs {
    /// Where to listen [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
    /// The folder that holds everything [default: engines-data]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// A TOML file with settings; also ENGINES_CONFIG
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Start although the write-ahead log is damaged, and lose what lies behind the damage; a copy of the log is kept
    #[arg(long)]
    pub accept_loss: bool,
}

impl ServeArgs {
    pub(super) fn flags(&self) -> Flags {
        Flags {
            config: self.config.clone(),
            listen: self.listen.clone(),
            data: self.data.clone(),
            accept_loss: self.accept_loss,
        }
    }
}

/// For whom to mint a token.
#[derive(Debug, Clone, ClapArgs)]
pub struct TokenArgs {
    /// The tenant
    #[arg(long, value_name = "T")]
    pub tenant: String,
    /// The role in it
    #[arg(long, value_name = "R", value_enum, default_value = "member")]
    pub role: RoleArg,
    /// The user (`sub`)
    #[arg(long, value_name = "U")]
    pub user: String,
    /// The user is an AI agent
    #[arg(long)]
    pub agent: bool,
    /// Seconds until it expires
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    pub ttl: u64,
    /// The folder of `dev`, for its secret, when none is set otherwise
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// A TOML file with settings; also ENGINES_CONFIG
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// A role, as it is typed.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum RoleArg {
    /// Reads
    Viewer,
    /// Reads and writes
    Member,
    /// Manages members and settings
    Admin,
    /// Manages owners
    Owner,
}

impl From<RoleArg> for Role {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::Viewer => Self::Viewer,
            RoleArg::Member => Self::Member,
            RoleArg::Admin => Self::Admin,
            RoleArg::Owner => Self::Owner,
        }
    }
}

/// What to redact, and how.
#[derive(Debug, Clone, ClapArgs)]
pub struct RedactArgs {
    /// What to read; standard input if absent or `-`
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Read JSON lines {id, text}, write {id, findings: [{entity, start, end, score}]}; offsets are bytes of UTF-8
    #[arg(long, conflicts_with_all = ["mode", "format"])]
    pub report: bool,
    /// What stands in the place of a finding
    #[arg(long, value_name = "M", value_enum, default_value = "mask")]
    pub mode: ModeArg,
    /// `auto`: a line that is a JSON object or array is redacted as JSON, everything else as text; `text`: everything as text
    #[arg(long, value_name = "F", value_enum, default_value = "auto")]
    pub format: FormatArg,
    /// A policy document (JSON) in place of the mode: operators, allow-list, deny-list
    #[arg(long, value_name = "FILE", conflicts_with = "mode")]
    pub policy: Option<PathBuf>,
    /// The key of hashes, pseudonyms and seals; without one, hashes and pseudonyms of two runs differ, and there are no seals
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// Put back what was sealed with the key, instead of redacting
    #[arg(long, requires = "key_file", conflicts_with_all = ["mode", "policy", "report"])]
    pub open: bool,
    /// The tenant whose key is made from the key, as a server does it
    #[arg(long, value_name = "T", requires = "key_file")]
    pub tenant: Option<String>,
}

/// What stands in the place of a finding, as it is typed.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum ModeArg {
    /// `[EMAIL_ADDRESS]`
    Mask,
    /// `[CREDIT_CARD:4242]`
    Partial,
    /// A hash under the key
    Hash,
    /// A short token under the key: the same value, the same token
    Pseudonym,
    /// Encrypted under the key; `--open` puts it back
    Seal,
    /// Nothing
    Drop,
}

impl From<ModeArg> for Operator {
    fn from(mode: ModeArg) -> Self {
        match mode {
            ModeArg::Mask => Self::Mask,
            ModeArg::Partial => Self::Partial,
            ModeArg::Hash => Self::Hash,
            ModeArg::Pseudonym => Self::Pseudonym,
            ModeArg::Seal => Self::Seal,
            ModeArg::Drop => Self::Drop,
        }
    }
}

/// How lines are read, as it is typed.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum FormatArg {
    /// JSON lines as JSON, the rest as text
    Auto,
    /// Everything as text
    Text,
}
