//! The arguments of `backup`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// The arguments of `backup`.
#[derive(Debug, Clone, Args)]
pub struct BackupArgs {
    /// The command to run.
    #[command(subcommand)]
    pub command: BackupCommand,
}

/// The commands of `backup`.
#[derive(Debug, Clone, Subcommand)]
pub enum BackupCommand {
    /// Make a backup, also while a server is running on the data folder
    Create(CreateArgs),
    /// List the backups in a destination
    List(ListArgs),
    /// Check a backup completely: hashes, root key, data file, every canvas
    Verify(VerifyArgs),
    /// Restore a backup into a new data folder
    Restore(RestoreArgs),
}

/// The arguments of `backup create`.
#[derive(Debug, Clone, Default, Args)]
pub struct CreateArgs {
    /// The destination: a folder or the URL of a bucket, instead of `backup.destination`
    #[arg(long, value_name = "DEST")]
    pub to: Option<String>,
    /// The data folder [default: engines-data]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// A TOML file with settings; also ENGINES_CONFIG
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print the manifest as JSON
    #[arg(long)]
    pub json: bool,
}

/// The arguments of `backup list`.
#[derive(Debug, Clone, Default, Args)]
pub struct ListArgs {
    /// The destination to list: a folder or the URL of a bucket, instead of `backup.destination`
    #[arg(long, value_name = "DEST")]
    pub from: Option<String>,
    /// A TOML file with settings; also ENGINES_CONFIG
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print the manifests as JSON
    #[arg(long)]
    pub json: bool,
}

/// The keys for the data of a backup. They are read from files, never from the command line, because other users of the
/// machine can see it.
#[derive(Debug, Clone, Default, Args)]
pub struct KeyArgs {
    /// A file with the root key, if it was kept apart; the default is ROOT_KEY, ROOT_KEY_FILE or `auth.root_key_file`
    #[arg(long, value_name = "FILE")]
    pub root_key_file: Option<PathBuf>,
    /// A file with the passphrase of the root key in the backup; the default is BACKUP_PASSPHRASE,
    /// BACKUP_PASSPHRASE_FILE or `backup.passphrase_file`
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
}

/// The arguments of `backup verify`.
#[derive(Debug, Clone, Args)]
pub struct VerifyArgs {
    /// The backup's name, `latest`, or its folder or URL
    #[arg(value_name = "BACKUP")]
    pub backup: String,
    /// The destination that holds it, instead of `backup.destination`
    #[arg(long, value_name = "DEST")]
    pub from: Option<String>,
    /// A folder with space for a copy of the data file [default: the system's temporary folder]
    #[arg(long, value_name = "DIR")]
    pub work: Option<PathBuf>,
    /// The keys for the data of the backup.
    #[command(flatten)]
    pub keys: KeyArgs,
    /// A TOML file with settings; also ENGINES_CONFIG
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// The arguments of `backup restore`.
#[derive(Debug, Clone, Args)]
pub struct RestoreArgs {
    /// The new data folder; it must be empty or absent
    #[arg(value_name = "DEST")]
    pub data: PathBuf,
    /// The backup's name, `latest`, or its folder or URL
    #[arg(value_name = "BACKUP")]
    pub backup: String,
    /// The destination that holds it, instead of `backup.destination`
    #[arg(long, value_name = "DEST")]
    pub from: Option<String>,
    /// The keys for the data of the backup.
    #[command(flatten)]
    pub keys: KeyArgs,
    /// Restore without the root key, which must be put into the data folder before the server starts
    #[arg(long)]
    pub without_root_key: bool,
    /// A TOML file with settings; also ENGINES_CONFIG
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print the manifest as JSON
    #[arg(long)]
    pub json: bool,
}
