//! Reads a secret from a variable or a file.

use std::{
    collections::BTreeMap,
    fs::{File, Metadata},
    io::Read,
    path::{Path, PathBuf},
};

use super::{Settings, SettingsError};

/// The environment.
pub(super) type Variables = BTreeMap<String, String>;

/// Finds the bytes of a secret and the layer they come from: the variable, the file that another variable names, or the
/// file that the settings name.
pub(super) fn find_secret(
    variable: &str,
    settings: &Settings,
    file: Option<&PathBuf>,
    setting: &str,
    variables: &Variables,
) -> Result<Option<(String, Vec<u8>)>, SettingsError> {
    let of_file = format!("{variable}_FILE");
    let read = |layer: &str, path: &Path| read_private_file(layer, path, settings.auth.allow_readable_secrets);
    match (variables.get(variable), variables.get(&of_file)) {
        (Some(_), Some(_)) => Err(SettingsError::new(variable, format!("and {of_file} are both set; set one of them"))),
        (Some(secret), None) => Ok(Some((variable.to_owned(), secret.clone().into_bytes()))),
        (None, Some(path)) => read(&of_file, Path::new(path)).map(|text| Some((of_file, text))),
        (None, None) => file.map(|path| Ok((setting.to_owned(), read(setting, path)?))).transpose(),
    }
}

/// Reads a file without the white space at its end, which editors add.
pub(super) fn read_private_file(layer: &str, path: &Path, allow_readable: bool) -> Result<Vec<u8>, SettingsError> {
    let failed =
        |error: std::io::Error| SettingsError::new(layer, format!("{} cannot be read: {error}", path.display()));
    let mut file = File::open(path).map_err(failed)?;
    // The check uses the open file, so that no other file is read after it.
    if !allow_readable {
        let found = file.metadata().map_err(failed)?;
        check_private(path, &found, 0o077).map_err(|complaint| SettingsError::new(layer, complaint))?;
    }
    let mut text = Vec::new();
    file.read_to_end(&mut text).map_err(failed)?;
    Ok(text.trim_ascii_end().to_vec())
}

/// Returns an error that says what to do if others than the owner have one of the rights `denied` to a file or folder.
#[cfg(unix)]
pub(crate) fn check_private(path: &Path, found: &Metadata, denied: u32) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt;
    let mode = found.permissions().mode() & 0o777;
    if mode & denied == 0 {
        return Ok(());
    }
    let path = path.display();
    Err(format!(
        "{path} can be used by others than its owner (mode {mode:04o}): run `chmod go= {path}`, or set auth.allow_readable_secrets if \
         the mode is intended, as for a secret that is mounted into a container"
    ))
}

/// Accepts every file, because other systems have no file modes.
#[cfg(not(unix))]
pub(crate) fn check_private(_: &Path, _: &Metadata, _: u32) -> Result<(), String> {
    Ok(())
}

/// Converts the error of a secret to one that names its layer.
pub(super) fn with_layer<T>(layer: &str, secret: engines::Result<T>) -> Result<T, SettingsError> {
    secret.map_err(|error| SettingsError::new(layer, error.detail().to_owned()))
}
