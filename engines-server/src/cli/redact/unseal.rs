//! Restores sealed values, line by line.

use std::io::{BufRead, Read, Write};

use engines::core::pii::Vault;

use crate::cli::{FormatArg, error::CliError};

/// The size limit of a line, in bytes.
const MAX_LINE_BYTES: usize = 64 << 20;

/// Copies `from` to `to` and restores every sealed value. In a line that begins like JSON the value is written with
/// JSON's escapes, so that the line stays valid.
///
/// A value that was sealed with another key, or changed, ends the copy with an error. The error has the number of the
/// line and nothing of its content.
pub(super) fn unseal(
    vault: &Vault,
    format: FormatArg,
    mut from: impl BufRead,
    mut to: impl Write,
) -> Result<(), CliError> {
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        if from.by_ref().take((MAX_LINE_BYTES + 1) as u64).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if line.len() > MAX_LINE_BYTES {
            return Err(format!("line {number} is longer than {MAX_LINE_BYTES} bytes").into());
        }
        match std::str::from_utf8(&line) {
            Ok(text) => {
                let json = matches!(format, FormatArg::Auto) && text.trim_ascii_start().starts_with(['{', '[']);
                let opened = if json { vault.open_json_str(text) } else { vault.open_text(text) };
                to.write_all(opened.map_err(|error| format!("line {number}: {error}"))?.as_bytes())?;
            }
            // The filter's output is UTF-8, so a line that is not UTF-8 contains no sealed value.
            Err(_) => to.write_all(&line)?,
        }
    }
    to.flush()?;
    Ok(())
}
