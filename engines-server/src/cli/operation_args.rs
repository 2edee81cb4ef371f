//! What can be said on the command line about whole tenants, whole stores and the state of a deployment.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use engines::Env;

use crate::config::Flags;

/// Where the data is.
#[derive(Debug, Clone, Default, ClapArgs)]
pub struct DataArgs {
    /// The folder that holds everything [default: engines-data]
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

/// What to do with a tenant.
#[derive(Debug, Clone, Subcommand)]
pub enum TenantCommand {
    /// Write a tenant to an archive, also beside a running server
    Export(TenantExportArgs),
    /// Put a tenant in from an archive; the server must be stopped
    Import(TenantImportArgs),
    /// Copy a tenant under another id; the server must be stopped
    Fork(TenantForkArgs),
}

/// Which tenant to export, and where to.
#[derive(Debug, Clone, ClapArgs)]
pub struct TenantExportArgs {
    /// The tenant
    #[arg(value_name = "TENANT")]
    pub tenant: String,
    /// The file to make; it must not exist
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Only this environment; may be given several times [default: all]
    #[arg(long, value_name = "ENV", value_enum)]
    pub env: Vec<EnvArg>,
    /// Take the key slots along as they are sealed; they open only under the same tenant id, with the same sealing keys
    #[arg(long)]
    pub key_slots: bool,
    /// Where the data is.
    #[command(flatten)]
    pub at: DataArgs,
}

/// Which archive to import.
#[derive(Debug, Clone, ClapArgs)]
pub struct TenantImportArgs {
    /// The archive
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The id it gets [default: its own]
    #[arg(long = "as", value_name = "TENANT")]
    pub rename: Option<String>,
    /// The id of a user here who becomes an owner
    #[arg(long, value_name = "USER")]
    pub owner: Option<String>,
    /// Where the data is.
    #[command(flatten)]
    pub at: DataArgs,
}

/// Which tenant to copy.
#[derive(Debug, Clone, ClapArgs)]
pub struct TenantForkArgs {
    /// The tenant
    #[arg(value_name = "TENANT")]
    pub tenant: String,
    /// The id of the copy
    #[arg(long = "as", value_name = "TENANT")]
    pub rename: String,
    /// The id of a user here who becomes an owner
    #[arg(long, value_name = "USER")]
    pub owner: Option<String>,
    /// Where the data is.
    #[command(flatten)]
    pub at: DataArgs,
}

/// An environment, as it is typed.
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

/// From where to where to move everything.
#[derive(Debug, Clone, ClapArgs)]
pub struct MigrateArgs {
    /// The store to read: sqlite:PATH; no server may use it
    #[arg(long, value_name = "URL")]
    pub from: String,
    /// The store to fill: sqlite:PATH of a file that is not there or empty, or memory: to try
    #[arg(long, value_name = "URL")]
    pub to: String,
    /// Discard what an earlier run has begun in the target
    #[arg(long)]
    pub restart: bool,
}

/// What to look over.
#[derive(Debug, Clone, ClapArgs)]
pub struct DoctorArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Play every canvas, not a sample of each tenant's
    #[arg(long)]
    pub deep: bool,
    /// Where the data is.
    #[command(flatten)]
    pub at: DataArgs,
}

/// In which form to print the settings.
#[derive(Debug, Clone, ClapArgs)]
pub struct SettingsArgs {
    /// Print the page of the documentation in place of TOML
    #[arg(long)]
    pub markdown: bool,
}
