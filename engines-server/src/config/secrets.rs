//! Secrets, read from variables or files. No flag takes one, because other users of the machine can see flags.

use std::path::Path;

use engines::{
    auth::{RootKey, SecretText, SigningKey, SigningKeys, SigningSecret, identity::SystemKey, key_slot::SealKeys},
    core::{check_secret_strength, pii::PiiKey},
};

use super::{
    Settings, SettingsError,
    backup::BACKUP_PASSPHRASE,
    secret_source::{Variables, find_secret, read_private_file, with_layer},
};

/// The variable that holds the signing secret.
pub const SIGNING_SECRET: &str = "AUTH_JWT_SIGNING";
/// The variable that names a file with the signing secret.
pub const SIGNING_SECRET_FILE: &str = "AUTH_JWT_SIGNING_FILE";
/// The variable that holds the root key; `ROOT_KEY_FILE` names a file with it.
pub const ROOT_KEY: &str = "ROOT_KEY";
/// The variable that holds the bootstrap key. `SYSTEM_BOOTSTRAP_KEY_FILE` names a file with it.
pub const SYSTEM_KEY: &str = "SYSTEM_BOOTSTRAP_KEY";
/// The variable that holds the keys that seal key slots. `SEAL_KEYS_FILE` names a file with them.
pub const SEAL_KEYS: &str = "SEAL_KEYS";

/// The variable that holds the key that seals values in events. `VAULT_KEY_FILE` names a file with it.
pub const VAULT_KEY: &str = "VAULT_KEY";
/// The variable that holds the mail server's password; `MAIL_PASSWORD_FILE` names a file with it.
pub const MAIL_PASSWORD: &str = "MAIL_PASSWORD";

/// The variables that hold secrets, with their purposes. For each there is a variable with the suffix `_FILE` that
/// names a file instead.
pub const SECRET_VARIABLES: [(&str, &str); 7] = [
    (SIGNING_SECRET, "the secret that signs access tokens, at least 32 bytes"),
    (ROOT_KEY, "the root key, which must not change for as long as the data exist"),
    (SYSTEM_KEY, "the key for the bootstrap of the control plane's tenants"),
    (SEAL_KEYS, "the keys that seal key slots, as id:base64 pairs separated by commas"),
    (VAULT_KEY, "the key that seals values in events"),
    (MAIL_PASSWORD, "the password of the mail server"),
    (BACKUP_PASSPHRASE, "the passphrase under which the root key is sealed in backups"),
];

/// Returns the signing secret, or `None` if it is not set.
///
/// # Errors
/// - Both variables are set.
/// - The file cannot be read.
/// - The secret is too short or was not generated at random.
pub fn signing_secret(settings: &Settings, variables: &Variables) -> Result<Option<SigningSecret>, SettingsError> {
    let found = find_secret(
        SIGNING_SECRET,
        settings,
        settings.auth.signing_secret_file.as_ref(),
        "auth.signing_secret_file",
        variables,
    )?;
    found.map(|(layer, text)| with_layer(&layer, SigningSecret::new(text))).transpose()
}

/// Returns the signing secret with its name, and the previous secrets.
///
/// # Errors
/// - [`SigningKeys`] refuses a name or the number of keys.
/// - A file cannot be read.
pub fn signing_keys(settings: &Settings, current: SigningSecret) -> Result<SigningKeys, SettingsError> {
    let named = |layer: &str, kid: &str, secret| match kid {
        "" => Ok(SigningKey::unnamed(secret)),
        kid => with_layer(layer, SigningKey::new(kid, secret)),
    };
    let current = named("auth.signing_kid", &settings.auth.signing_kid, current)?;
    let layer = "auth.previous_signing_files";
    settings.auth.previous_signing_files.iter().try_fold(SigningKeys::new(current), |keys, entry| {
        let (kid, path) = entry.split_once(':').unwrap_or(("", entry));
        let secret = signing_secret_from_file(layer, Path::new(path), settings.auth.allow_readable_secrets)?;
        with_layer(layer, keys.previous(named(layer, kid, secret)?))
    })
}

/// Returns the root key, or `None` if it is not set.
///
/// # Errors
/// - Both variables are set.
/// - The file cannot be read.
/// - The key is too short or was not generated at random.
pub fn root_key(settings: &Settings, variables: &Variables) -> Result<Option<RootKey>, SettingsError> {
    let found = find_secret(ROOT_KEY, settings, settings.auth.root_key_file.as_ref(), "auth.root_key_file", variables)?;
    found.map(|(layer, text)| with_layer(&layer, RootKey::new(text))).transpose()
}

/// Returns the bootstrap key, or `None` if it is not set.
///
/// # Errors
/// - Both variables are set.
/// - The file cannot be read.
/// - The key is too short or was not generated at random.
pub fn system_key(settings: &Settings, variables: &Variables) -> Result<Option<SystemKey>, SettingsError> {
    let found =
        find_secret(SYSTEM_KEY, settings, settings.auth.system_key_file.as_ref(), "auth.system_key_file", variables)?;
    found.map(|(layer, text)| with_layer(&layer, SystemKey::new(text))).transpose()
}

/// Returns the keys that seal key slots. If it is `None`, the key is derived from the root key.
///
/// # Errors
/// - Both variables are set.
/// - The file cannot be read.
/// - [`SealKeys::parse`] refuses the content.
pub fn seal_keys(settings: &Settings, variables: &Variables) -> Result<Option<SealKeys>, SettingsError> {
    let found =
        find_secret(SEAL_KEYS, settings, settings.auth.seal_keys_file.as_ref(), "auth.seal_keys_file", variables)?;
    let parsed = found.map(|(layer, text)| with_layer(&layer, SealKeys::parse(&String::from_utf8_lossy(&text))));
    parsed.transpose()
}

/// Returns the key from which the key of each tenant is derived that seals values (operator `seal`). If it is `None`,
/// no policy can use `seal`.
///
/// # Errors
/// - Both variables are set.
/// - The file cannot be read.
/// - The key is too short or was not generated at random.
pub fn vault_key(settings: &Settings, variables: &Variables) -> Result<Option<PiiKey>, SettingsError> {
    let found =
        find_secret(VAULT_KEY, settings, settings.auth.vault_key_file.as_ref(), "auth.vault_key_file", variables)?;
    let checked = |(layer, text): (String, Vec<u8>)| {
        with_layer(&layer, check_secret_strength("the vault key", &text))?;
        Ok(PiiKey::new(text))
    };
    found.map(checked).transpose()
}

/// Returns the mail server's password, or `None` if it is not set.
///
/// # Errors
/// - Both variables are set.
/// - The file cannot be read.
pub fn mail_password(settings: &Settings, variables: &Variables) -> Result<Option<SecretText>, SettingsError> {
    let found =
        find_secret(MAIL_PASSWORD, settings, settings.mail.password_file.as_ref(), "mail.password_file", variables)?;
    Ok(found.map(|(_, text)| SecretText::new(String::from_utf8_lossy(&text))))
}

pub(crate) fn signing_secret_from_file(
    layer: &str,
    path: &Path,
    allow_readable: bool,
) -> Result<SigningSecret, SettingsError> {
    with_layer(layer, SigningSecret::new(read_private_file(layer, path, allow_readable)?))
}

pub(crate) fn root_key_from_file(layer: &str, path: &Path, allow_readable: bool) -> Result<RootKey, SettingsError> {
    with_layer(layer, RootKey::new(read_private_file(layer, path, allow_readable)?))
}
