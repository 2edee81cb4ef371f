//! The arguments of the command line.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use engines::{Role, core::pii::Operator};

use super::{
    BackupArgs,
    operation_args::{DoctorArgs, MigrateArgs, SettingsArgs, TenantCommand},
};
use crate::config::{Flags, SECRET_VARIABLES};

/// The engines server
#[derive(Debug, Parser)]
#[command(name = "engines-server", version, about, long_about = None, after_help = secret_variables())]
pub struct Args {
    /// The command to run.
    #[command(subcommand)]
    pub command: Command,
}

/// Lists the variables that hold secrets, for the help text.
fn secret_variables() -> String {
    let mut text = String::from("Secrets, in variables (or in a file that the variable with the suffix _FILE names):");
    for (variable, meaning) in SECRET_VARIABLES {
        text.push_str(&format!("\n  {variable:<22} {meaning}"));
    }
    text.push_str("\n\nEvery setting is a variable too: ENGINES_HTTP__HEAD_BYTES is head_bytes of [http]; `engines-server settings` prints all.");
    text
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start a server for development: makes data, a secret, tenants and a token, and prints curl lines to paste
    Dev(ServeArgs),
    /// Start the server
    Serve(ServeArgs),
    /// Mint an access token with the signing secret
    Token(TokenArgs),
    /// Copy text or JSON lines without personal data and secrets; needs no settings, secret or data
    Redact(RedactArgs),
    /// Export a tenant to an archive, import one, or copy one
    #[command(subcommand)]
    Tenant(TenantCommand),
    /// Copy all data from one store to another
    Migrate(MigrateArgs),
    /// Check a deployment; exit code 1 for problems, 3 when the checks could not run
    Doctor(DoctorArgs),
    /// Print all settings with comments and defaults, as a TOML file
    Settings(SettingsArgs),
    /// Make, list, verify and restore backups of everything
    Backup(BackupArgs),
}

/// The arguments of `serve` and `dev`.
#[derive(Debug, Clone, Default, ClapArgs)]
pub struct ServeArgs {
    /// The address to listen on [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
    /// The data folder [default: engines-data]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// A TOML file with settings; also ENGINES_CONFIG
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Start although the write-ahead log is damaged, and lose the transactions after the damage; a copy of the log is
    /// kept
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

/// The arguments of `token`.
#[derive(Debug, Clone, ClapArgs)]
pub struct TokenArgs {
    /// The tenant
    #[arg(long, value_name = "T")]
    pub tenant: String,
    /// The role in the tenant
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
    /// The data folder of `dev`, whose secret signs when no other is set
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// A TOML file with settings; also ENGINES_CONFIG
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// A role on the command line.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum RoleArg {
    /// May read
    Viewer,
    /// May read and write
    Member,
    /// May manage members and settings
    Admin,
    /// May manage owners
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

/// The arguments of `redact`.
#[derive(Debug, Clone, ClapArgs)]
pub struct RedactArgs {
    /// The file to read; standard input if absent or `-`
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Read JSON lines {id, text}, write {id, findings: [{entity, start, end, score}]}; offsets are bytes of UTF-8
    #[arg(long, conflicts_with_all = ["mode", "format"])]
    pub report: bool,
    /// The replacement of a finding
    #[arg(long, value_name = "M", value_enum, default_value = "mask")]
    pub mode: ModeArg,
    /// `auto`: a line that is a JSON object or array is redacted as JSON, everything else as text; `text`: everything as text
    #[arg(long, value_name = "F", value_enum, default_value = "auto")]
    pub format: FormatArg,
    /// A policy document (JSON) in place of the mode: operators, allow-list, deny-list
    #[arg(long, value_name = "FILE", conflicts_with = "mode")]
    pub policy: Option<PathBuf>,
    /// A file with the key of hashes, pseudonyms and seals; without one, hashes and pseudonyms differ from run to run,
    /// and seals are not possible
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// Restore values that were sealed with the key, instead of redacting
    #[arg(long, requires = "key_file", conflicts_with_all = ["mode", "policy", "report"])]
    pub open: bool,
    /// The tenant whose key is derived from the key file, as a server derives it
    #[arg(long, value_name = "T", requires = "key_file")]
    pub tenant: Option<String>,
}

/// The replacement of a finding, on the command line.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum ModeArg {
    /// `[EMAIL_ADDRESS]`
    Mask,
    /// `[CREDIT_CARD:4242]`
    Partial,
    /// A hash under the key
    Hash,
    /// A short token under the key: the same value gets the same token
    Pseudonym,
    /// The value, encrypted under the key; `--open` restores it
    Seal,
    /// Nothing: the finding is removed
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

/// The format of lines, on the command line.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum FormatArg {
    /// JSON lines are read as JSON, all others as text
    Auto,
    /// All lines are read as text
    Text,
}
