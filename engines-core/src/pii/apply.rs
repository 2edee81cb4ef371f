//! Writing what stands in the place of a finding.

use super::entity::Kind;
use super::error::ScrubError;
use super::key::{PiiKey, letters};
use super::policy::Operator;
use super::scan::normal::Plain;
use super::vault::Vault;

/// The bytes of a pseudonym; twice as many letters.
const PSEUDONYM: usize = 12;
/// Lower-case letters from here on: hashes and pseudonyms.
const BASE: u8 = b'a';

/// What the operators need.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys {
    pub(crate) tenant: Option<PiiKey>,
    pub(crate) vault: Option<Vault>,
}

/// Appends what stands for `source`, a finding of `name`; `json` says that it is the inside of a JSON string.
pub(crate) fn write(
    out: &mut String,
    keys: &Keys,
    operator: Operator,
    name: &str,
    kind: Option<Kind>,
    source: &str,
    json: bool,
) -> Result<(), ScrubError> {
    match operator {
        Operator::Mask => mask(out, name),
        Operator::Drop => {}
        Operator::Partial => {
            let value = canonical(source, kind);
            let tail: Vec<char> = value.chars().rev().filter(char::is_ascii_alphanumeric).take(4).collect();
            if value.len() < 9 || tail.len() < 4 {
                mask(out, name);
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
                _ => (b"engines.pii.pseudonym.v1", PSEUDONYM),
            };
            let mac = key.mac(&[purpose, name.as_bytes(), canonical(source, kind).as_bytes()]);
            out.push('[');
            out.push_str(name);
            out.push(':');
            letters(out, &mac[..size], BASE);
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

fn mask(out: &mut String, name: &str) {
    out.push('[');
    out.push_str(name);
    out.push(']');
}

/// The value without what its writers do differently: encodings, case, separators.
fn canonical(source: &str, kind: Option<Kind>) -> String {
    let plain = Plain::of(source.as_bytes());
    let plain = String::from_utf8_lossy(&plain.text);
    match kind {
        Some(Kind::EmailAddress | Kind::IpAddress) => plain.to_lowercase(),
        // Secrets and wallets are what they are, to the letter.
        Some(Kind::Crypto | Kind::StreetAddress | Kind::DateOfBirth | Kind::GeoCoordinates) | None => {
            plain.into_owned()
        }
        Some(kind) if kind.is_secret() => plain.into_owned(),
        Some(Kind::PhoneNumber) => {
            let digits: String = plain.chars().filter(char::is_ascii_digit).collect();
            digits.strip_prefix("00").map_or(digits.clone(), str::to_owned)
        }
        Some(_) => plain.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_uppercase).collect(),
    }
}
