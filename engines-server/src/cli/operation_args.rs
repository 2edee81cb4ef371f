//! The arguments of `tenant`, `migrate`, `doctor` and `settings`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use engines::Env;

use crate::config::Flags;

/// The location of the data.
#[derive(Debug, Clone, Default, ClapArgs)]
pub struct DataArgs {
    /// The data folder [default: engines-data]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// A TOML file with settings; also ENGINES_CONFIG
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl DataArgs {
    pub(super) fn flags(&self) -> Flags {
        Flags { config: self.config.clone(), data: self.data.clone(), ..Flags::default() }
    }
}

/// The commands of `tenant`.
#[derive(Debug, Clone, Subcommand)]
pub enum TenantCommand {
    /// Write a tenant to an archive; a server may be running
    Export(TenantExportArgs),
    /// Import a tenant from an archive; the server must be stopped
    Import(TenantImportArgs),
    /// Copy a tenant under another id; the server must be stopped
    Fork(TenantForkArgs),
}

/// The arguments of `tenant export`.
#[derive(Debug, Clone, ClapArgs)]
pub struct TenantExportArgs {
    /// The tenant
    #[arg(value_name = "TENANT")]
    pub tenant: String,
    /// The file to create; it must not exist
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Only this environment; may be given several times [default: all]
    #[arg(long, value_name = "ENV", value_enum)]
    pub env: Vec<EnvArg>,
    /// Include the key slots in sealed form; they open only under the same tenant id and with the same sealing keys
    #[arg(long)]
    pub key_slots: bool,
    /// The location of the data.
    #[command(flatten)]
    pub at: DataArgs,
}

/// The arguments of `tenant import`.
#[derive(Debug, Clone, ClapArgs)]
pub struct TenantImportArgs {
    /// The archive
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The id of the imported tenant [default: the id in the archive]
    #[arg(long = "as", value_name = "TENANT")]
    pub rename: Option<String>,
    /// The id of a user of this deployment who becomes an owner
    #[arg(long, value_name = "USER")]
    pub owner: Option<String>,
    /// The location of the data.
    #[command(flatten)]
    pub at: DataArgs,
}

/// The arguments of `tenant fork`.
#[derive(Debug, Clone, ClapArgs)]
pub struct TenantForkArgs {
    /// The tenant
    #[arg(value_name = "TENANT")]
    pub tenant: String,
    /// The id of the copy
    #[arg(long = "as", value_name = "TENANT")]
    pub rename: String,
    /// The id of a user of this deployment who becomes an owner
    #[arg(long, value_name = "USER")]
    pub owner: Option<String>,
    /// The location of the data.
    #[command(flatten)]
    pub at: DataArgs,
}

/// An environment on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EnvArg {
    /// Development
    Dev,
    /// Staging
    Staging,
    /// Production
    Prod,
}

impl From<EnvArg> for Env {
    fn from(env: EnvArg) -> Self {
        match env {
            EnvArg::Dev => Self::Dev,
            EnvArg::Staging => Self::Staging,
            EnvArg::Prod => Self::Prod,
        }
    }
}

/// The arguments of `migrate`.
#[derive(Debug, Clone, ClapArgs)]
pub struct MigrateArgs {
    /// The store to read: sqlite:PATH; no server may use it
    #[arg(long, value_name = "URL")]
    pub from: String,
    /// The store to fill: sqlite:PATH of a file that is absent or empty, or memory: to try
    #[arg(long, value_name = "URL")]
    pub to: String,
    /// Discard the result of an unfinished earlier run in the target
    #[arg(long)]
    pub restart: bool,
    /// A TOML file with settings; those of `[sqlite]` apply to both stores; also ENGINES_CONFIG
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// The arguments of `doctor`.
#[derive(Debug, Clone, ClapArgs)]
pub struct DoctorArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Check every canvas, not a sample of each scope
    #[arg(long)]
    pub deep: bool,
    /// The location of the data.
    #[command(flatten)]
    pub at: DataArgs,
}

/// The arguments of `settings`.
#[derive(Debug, Clone, ClapArgs)]
pub struct SettingsArgs {
    /// Print the documentation page instead of TOML
    #[arg(long)]
    pub markdown: bool,
}
