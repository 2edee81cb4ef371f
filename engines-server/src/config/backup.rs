//! The passphrase of backups.

use std::{collections::BTreeMap, path::Path};

use engines::auth::Passphrase;

use super::{
    Settings, SettingsError,
    secret_source::{find_secret, read_private_file, with_layer},
};

/// The variable that holds the passphrase under which the root key is sealed in backups. `BACKUP_PASSPHRASE_FILE` names
/// a file with it.
pub const BACKUP_PASSPHRASE: &str = "BACKUP_PASSPHRASE";

/// Returns the passphrase. If it is `None`, backups do not contain the root key.
///
/// # Errors
/// - Both variables are set.
/// - The file cannot be read.
/// - The passphrase has less than 16 bytes.
pub fn backup_passphrase(
    settings: &Settings,
    variables: &BTreeMap<String, String>,
) -> Result<Option<Passphrase>, SettingsError> {
    let file = settings.backup.passphrase_file.as_ref();
    let found = find_secret(BACKUP_PASSPHRASE, settings, file, "backup.passphrase_file", variables)?;
    found.map(|(layer, text)| with_layer(&layer, Passphrase::new(text))).transpose()
}

pub(crate) fn passphrase_from_file(
    layer: &str,
    path: &Path,
    allow_readable: bool,
) -> Result<Passphrase, SettingsError> {
    with_layer(layer, Passphrase::new(read_private_file(layer, path, allow_readable)?))
}
