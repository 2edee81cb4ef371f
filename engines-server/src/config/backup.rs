//! The passphrase of backups.

use std::{collections::BTreeMap, path::Path};

use engines::auth::Passphrase;

use super::{
    Settings, SettingsError,
    secrets::{find_secret, read_private_file, with_layer},
};

/// The variable that holds the passphrase the root key is sealed under in backups; `BACKUP_PASSPHRASE_FILE` names a file with it.
pub const BACKUP_PASSPHRASE: &str = "BACKUP_PASSPHRASE";

/// The passphrase; none if it is set nowhere, and then the root key is not in backups.
///
/// # Errors
/// Both variables set, a file that cannot be read, or a passphrase under 16 bytes.
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
