//! Names of files and sources in a backup. A manifest is untrusted: no name in it may refer to a path outside its
//! folder.

use engines_core::{Code, Error, Result};

/// The name of the manifest.
pub(super) const MANIFEST_FILE: &str = "manifest.json";
/// The name of the file with the hashes of all files, in the format of `sha256sum`.
pub(super) const SUMS_FILE: &str = "SHA256SUMS";
/// The name of the sealed root key.
pub(super) const ROOT_KEY_FILE: &str = "root.key.sealed";

const MAX_NAME_BYTES: usize = 256;
const MAX_SOURCE_NAME_BYTES: usize = 32;

/// Checks a file name: segments of letters, digits, `.`, `_` and `-`, separated by `/`; no segment begins with `.`.
pub(super) fn check_file_name(name: &str) -> Result<()> {
    let segment = |segment: &str| {
        !segment.is_empty()
            && !segment.starts_with('.')
            && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
    };
    match name.len() <= MAX_NAME_BYTES && name.split('/').all(segment) {
        true => Ok(()),
        false => Err(invalid_name("the name of a file in a backup is malformed")),
    }
}

/// Checks the name of a source.
pub(super) fn check_source_name(name: &str) -> Result<()> {
    let letters = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
    match (1..=MAX_SOURCE_NAME_BYTES).contains(&name.len()) && name.bytes().all(letters) {
        true => Ok(()),
        false => Err(invalid_name("the name of a backup source is 1 to 32 lower-case letters, digits, _ and -")),
    }
}

fn invalid_name(detail: &'static str) -> Error {
    Error::new(Code::Internal, "backup.name", detail)
}
