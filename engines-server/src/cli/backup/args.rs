//! What can be said on the command line about backups.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Make, list, verify and restore backups.
#[derive(Debug, Clone, Args)]
pub struct BackupArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: BackupCommand,
}

/// What to do with backups.
#[derive(Debug, Clone, Subcommand)]
pub enum BackupCommand {
    /// Make a backup, also while a server is running on the data folder
    Create(CreateArgs),
    /// List the backups in a destination
    List(ListArgs),
    /// Check a backup from end to end: hashes, root key, data file, every canvas
    Verify(VerifyArgs),
    /// Restore a backup into a new data folder
    Restore(RestoreArgs),
}

/// What to back up, and where to.
#[derive(Debug, Clone, Default, Args)]
pub struct CreateArgs {
    /// Where to: a folder or the URL of a bucket, instead of `backup.destination`
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

/// What to list.
#[derive(Debug, Clone, Default, Args)]
pub struct ListArgs {
    /// Where from: a folder or the URL of a bucket, instead of `backup.destination`
    #[arg(long, value_name = "DEST")]
    pub from: Option<String>,
    /// A TOML file with settings; also ENGINES_CONFIG
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print the manifests as JSON
    #[arg(long)]
    pub json: bool,
}

/// The keys that a backup's data need. They are read from files, never from the command line, where other users of the machine
/// could see them.
#[derive(Debug, Clone, Default, Args)]
pub struct KeyArgs {
    /// A file with the root key, if it was kept apart; without it, ROOT_KEY, ROOT_KEY_FILE or `auth.root_key_file`
    #[arg(long, value_name = "FILE")]
    pub root_key_file: Option<PathBuf>,
    /// A file with the passphrase of the root key in the backup; without it, BACKUP_PASSPHRASE, BACKUP_PASSPHRASE_FILE or
    /// `backup.passphrase_file`
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
}

/// What to verify.
#[derive(Debug, Clone, Args)]
pub struct VerifyArgs {
    /// The backup's name, `latest`, or its folder or URL
    #[arg(value_name = "BACKUP")]
    pub backup: String,
    /// Where it is, instead of `backup.destination`
    #[arg(long, value_name = "DEST")]
    pub from: Option<String>,
    /// A folder with room for a copy of the data file [default: the system's for temporary files]
    #[arg(long, value_name = "DIR")]
    pub work: Option<PathBuf>,
    /// The keys.
    #[command(flatten)]
    pub keys: KeyArgs,
    /// A TOML file with settings; also ENGINES_CONFIG
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print what was found as JSON
    #[arg(long)]
    pub json: bool,
}

/// What to restore, and where to.
#[derive(Debug, Clone, Args)]
pub struct RestoreArgs {
    /// The new data folder; it must be empty or not there
    #[arg(value_name = "DEST")]
    pub data: PathBuf,
    /// The backup's name, `latest`, or its folder or URL
    #[arg(value_name = "BACKUP")]
    pub backup: String,
    /// Where it is, instead of `backup.destination`
    #[arg(long, value_name = "DEST")]
    pub from: Option<String>,
    /// The keys.
    #[command(flatten)]
    pub keys: KeyArgs,
    /// Restore without the root key: it must be put into the data folder before the server starts
    #[arg(long)]
    pub without_root_key: bool,
    /// A TOML file with settings; also ENGINES_CONFIG
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print the manifest as JSON
    #[arg(long)]
    pub json: bool,
}
