//! Finds the destination of backups, a backup in it, and its keys.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use engines::{
    auth::{Passphrase, RootKey},
    backup::{BackupId, Backups},
};

use super::KeyArgs;
use crate::{
    cli::error::CliError,
    config::{self, Flags, Settings},
};

/// Loads the settings of a command that needs no data folder.
pub(super) fn load_settings(
    config: Option<&PathBuf>,
    data: Option<&PathBuf>,
    variables: &BTreeMap<String, String>,
) -> Result<Settings, CliError> {
    Ok(config::load(&Flags { config: config.cloned(), data: data.cloned(), ..Flags::default() }, variables)?)
}

/// Opens the destination that was named, or else the one of the settings.
pub(super) fn open_backups(named: Option<&String>, settings: &Settings) -> Result<Backups, CliError> {
    let place = named.map_or(settings.backup.destination.as_str(), String::as_str);
    if place.is_empty() {
        return Err("no destination is named: set backup.destination, or name a folder or the URL of a bucket".into());
    }
    Ok(Backups::open(place)?)
}

/// Finds a backup by its name in the destination, by `latest`, or by a folder or URL that ends with its name.
pub(super) async fn find_backup(
    backup: &str,
    named: Option<&String>,
    settings: &Settings,
) -> Result<(Backups, BackupId), CliError> {
    if let Some((place, name)) = backup.trim_end_matches('/').rsplit_once('/') {
        return Ok((Backups::open(place)?, name.parse()?));
    }
    let backups = open_backups(named, settings)?;
    if backup != "latest" {
        return Ok((backups, backup.parse()?));
    }
    let found = backups.latest().await?.ok_or_else(|| format!("there is no backup in {}", backups.describe()))?;
    Ok((backups, found.id))
}

/// The keys that the caller gave.
#[derive(Debug, Default)]
pub(super) struct BackupKeys {
    /// The root key, if one was found.
    pub(super) root: Option<RootKey>,
    /// Whether the root key comes from the settings. The server then finds it as well.
    pub(super) root_of_settings: bool,
    /// The passphrase of the root key in the backup, if one was found.
    pub(super) passphrase: Option<Passphrase>,
}

impl BackupKeys {
    pub(super) fn read(
        args: &KeyArgs,
        settings: &Settings,
        variables: &BTreeMap<String, String>,
    ) -> Result<Self, CliError> {
        let (root, root_of_settings) = match &args.root_key_file {
            Some(path) => (
                Some(config::root_key_from_file("--root-key-file", path, settings.auth.allow_readable_secrets)?),
                false,
            ),
            None => (config::root_key(settings, variables)?, true),
        };
        let passphrase = match &args.passphrase_file {
            Some(path) => {
                Some(config::passphrase_from_file("--passphrase-file", path, settings.auth.allow_readable_secrets)?)
            }
            None => config::backup_passphrase(settings, variables)?,
        };
        Ok(Self { root, root_of_settings, passphrase })
    }
}

/// Returns the folder for a temporary copy.
pub(super) fn work_dir(named: Option<&PathBuf>) -> PathBuf {
    named.map_or_else(std::env::temp_dir, |path| Path::to_owned(path))
}
