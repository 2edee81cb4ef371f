//! The signing secret: from a variable or a file, never from a flag, where other users of the machine could read it.

use std::{collections::BTreeMap, path::Path};

use engines::auth::SigningSecret;

use super::{Fault, Settings};

/// The variable that holds the secret.
pub const SECRET: &str = "AUTH_JWT_SIGNING";
/// The variable that names a file with the secret.
pub const SECRET_FILE: &str = "AUTH_JWT_SIGNING_FILE";

/// The signing secret; none if it is set nowhere.
///
/// # Errors
/// Both variables set, a file that cannot be read, or a secret under 32 bytes.
pub fn signing_secret(
    settings: &Settings,
    variables: &BTreeMap<String, String>,
) -> Result<Option<SigningSecret>, Fault> {
    let file = variables.get(SECRET_FILE).map(|path| (SECRET_FILE, Path::new(path)));
    match (variables.get(SECRET), file) {
        (Some(_), Some(_)) => Err(Fault::new(SECRET, format!("is set, and so is {SECRET_FILE}; set one of them"))),
        (Some(secret), None) => checked(SECRET, secret.as_bytes()).map(Some),
        (None, Some((layer, path))) => from_file(layer, path).map(Some),
        (None, None) => settings
            .auth
            .signing_secret_file
            .as_ref()
            .map(|path| from_file("auth.signing_secret_file", path))
            .transpose(),
    }
}

pub(crate) fn from_file(layer: &str, path: &Path) -> Result<SigningSecret, Fault> {
    let text = std::fs::read(path)
        .map_err(|error| Fault::new(layer, format!("{} cannot be read: {error}", path.display())))?;
    checked(layer, text.trim_ascii_end())
}

fn checked(layer: &str, secret: &[u8]) -> Result<SigningSecret, Fault> {
    SigningSecret::new(secret).map_err(|error| Fault::new(layer, error.detail().to_owned()))
}
