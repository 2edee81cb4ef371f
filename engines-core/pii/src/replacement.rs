//! Writes the replacements of findings.

use super::entity::EntityKind;
use super::error::ScrubError;
use super::key::{PiiKey, encode_letters};
use super::policy::Operator;
use super::scan::normalization::NormalizedText;
use super::vault::Vault;

/// The bytes of a pseudonym; it has twice as many letters.
const PSEUDONYM_BYTES: usize = 12;
/// The first letter of hashes and pseudonyms, which are lower-case.
const FIRST_LETTER: u8 = b'a';

/// The keys that the operators need.
#[derive(Clone, Debug, Default)]
pub(crate) struct OperatorKeys {
    pub(crate) tenant: Option<PiiKey>,
    pub(crate) vault: Option<Vault>,
}

/// Appends the replacement of `source`, a finding of `name`; `json` says that it is inside a JSON string.
pub(crate) fn write_replacement(
    out: &mut String,
    keys: &OperatorKeys,
    operator: Operator,
    name: &str,
    kind: Option<EntityKind>,
    source: &str,
    json: bool,
) -> Result<(), ScrubError> {
    match operator {
        Operator::Mask => write_mask(out, name),
        Operator::Drop => {}
        Operator::Partial => {
            let value = canonical_value(source, kind);
            let tail: Vec<char> = value.chars().rev().filter(char::is_ascii_alphanumeric).take(4).collect();
            if value.len() < 9 || tail.len() < 4 {
                write_mask(out, name);
            } else {
                out.push('[');
                out.push_str(name);
                out.push(':');
                out.extend(tail.iter().rev());
                out.push(']');
            }
        }
        Operator::Hash | Operator::Pseudonym => {
            let Some(key) = &keys.tenant else { return Err(ScrubError::Seal) };
            let (purpose, size): (&[u8], usize) = match operator {
                Operator::Hash => (b"engines.pii.hash.v1", 32),
                _ => (b"engines.pii.pseudonym.v1", PSEUDONYM_BYTES),
            };
            let mac = key.mac(&[purpose, name.as_bytes(), canonical_value(source, kind).as_bytes()]);
            out.push('[');
            out.push_str(name);
            out.push(':');
            encode_letters(out, &mac[..size], FIRST_LETTER);
            out.push(']');
        }
        Operator::Seal => {
            let Some(vault) = &keys.vault else { return Err(ScrubError::Seal) };
            if json {
                let value: String = serde_json::from_str(&format!("\"{source}\"")).map_err(|_| ScrubError::Seal)?;
                vault.seal(out, name, &value)?;
            } else {
                vault.seal(out, name, source)?;
            }
        }
    }
    Ok(())
}

fn write_mask(out: &mut String, name: &str) {
    out.push('[');
    out.push_str(name);
    out.push(']');
}

/// The value without differences in how it may be written: encodings, case, separators.
fn canonical_value(source: &str, kind: Option<EntityKind>) -> String {
    let plain = NormalizedText::from_source(source.as_bytes());
    let plain = String::from_utf8_lossy(&plain.text);
    match kind {
        Some(EntityKind::EmailAddress | EntityKind::IpAddress) => plain.to_lowercase(),
        // Secrets and wallet addresses are case-sensitive.
        Some(EntityKind::Crypto | EntityKind::StreetAddress | EntityKind::DateOfBirth | EntityKind::GeoCoordinates)
        | None => plain.into_owned(),
        Some(kind) if kind.is_secret() => plain.into_owned(),
        Some(EntityKind::PhoneNumber) => {
            let digits: String = plain.chars().filter(char::is_ascii_digit).collect();
            digits.strip_prefix("00").map_or(digits.clone(), str::to_owned)
        }
        Some(_) => plain.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_uppercase).collect(),
    }
}
