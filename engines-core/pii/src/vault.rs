//! Sealed values, which can be opened with the vault key.

use aes_siv::KeyInit as _;
use aes_siv::siv::Aes256Siv;
use zeroize::Zeroizing;

use super::error::ScrubError;
use super::key::{PiiKey, decode_letters, encode_letters};
use super::rule::MAX_SEALED_LETTERS;
/// Seals and opens values with AES-SIV (RFC 5297): the same value under the same key gives the same token, and no
/// randomness is needed.
///
/// ```
/// use engines_pii::{Operator, PiiKey, Policy, Scrubber, Vault};
///
/// let key = PiiKey::new(*b"0123456789abcdef0123456789abcdef");
/// let policy = Policy { default: Operator::Seal, ..Policy::default() };
/// let scrubber = Scrubber::builder().policy(policy).vault_key(key.clone()).build()?;
/// let sealed = scrubber.scrub_text("mail ana@example.org")?.value.into_owned();
/// assert!(sealed.starts_with("mail [EMAIL_ADDRESS:"));
/// assert_eq!(Vault::new(key).open_text(&sealed)?, "mail ana@example.org");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Vault {
    key: PiiKey,
}

/// The first letter of sealed values, which are capital letters and so differ from pseudonyms.
const FIRST_LETTER: u8 = b'A';

impl Vault {
    /// Makes a vault with one tenant's key.
    pub fn new(key: PiiKey) -> Self {
        Self { key }
    }

    /// The vault of one tenant, with a key that is derived from this one's, as a deployment's scrubber derives it.
    #[must_use]
    pub fn for_tenant(&self, tenant: &str) -> Self {
        Self::new(self.key.for_tenant(tenant))
    }

    fn cipher(&self) -> Aes256Siv {
        let mut wide = Zeroizing::new([0_u8; 64]);
        wide[..32].copy_from_slice(&*self.key.mac(&[b"engines.pii.seal.mac.v1"]));
        wide[32..].copy_from_slice(&*self.key.mac(&[b"engines.pii.seal.enc.v1"]));
        Aes256Siv::new(&(*wide).into())
    }

    /// Appends `[NAME:TOKEN]`; a value whose token would be too long to be recognised is rejected.
    pub(crate) fn seal(&self, out: &mut String, name: &str, value: &str) -> Result<(), ScrubError> {
        if 2 * (value.len() + 16) > MAX_SEALED_LETTERS {
            return Err(ScrubError::Seal);
        }
        let sealed = self.cipher().encrypt([name.as_bytes()], value.as_bytes()).map_err(|_| ScrubError::Seal)?;
        out.push('[');
        out.push_str(name);
        out.push(':');
        encode_letters(out, &sealed, FIRST_LETTER);
        out.push(']');
        Ok(())
    }

    /// Replaces every sealed value in a text by its original.
    ///
    /// # Errors
    ///
    /// [`ScrubError::Seal`] if a value was sealed with another key or was changed.
    pub fn open_text(&self, text: &str) -> Result<String, ScrubError> {
        self.open(text, |out, value| {
            out.push_str(value);
            Ok(())
        })
    }

    /// Replaces every sealed value in JSON text by its original; everything else stays byte for byte. A sealed number
    /// becomes a string. The text is not checked to be JSON.
    ///
    /// # Errors
    ///
    /// Those of [`Vault::open_text`].
    pub fn open_json_str(&self, text: &str) -> Result<String, ScrubError> {
        self.open(text, |out, value| {
            let quoted = serde_json::to_string(value).map_err(|_| ScrubError::Seal)?;
            out.push_str(quoted.get(1..quoted.len() - 1).unwrap_or_default());
            Ok(())
        })
    }

    fn open(
        &self,
        text: &str,
        put: impl Fn(&mut String, &str) -> Result<(), ScrubError>,
    ) -> Result<String, ScrubError> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('[') {
            let (before, from) = rest.split_at(at);
            out.push_str(before);
            match split_sealed(from) {
                Some((name, body, len)) => {
                    let sealed = decode_letters(body, FIRST_LETTER).ok_or(ScrubError::Seal)?;
                    let value = self.cipher().decrypt([name.as_bytes()], &sealed).map_err(|_| ScrubError::Seal)?;
                    put(&mut out, std::str::from_utf8(&value).map_err(|_| ScrubError::Seal)?)?;
                    rest = &from[len..];
                }
                None => {
                    out.push('[');
                    rest = &from[1..];
                }
            }
        }
        out.push_str(rest);
        Ok(out)
    }

    /// Replaces every sealed value in the strings and keys of a JSON value by its original. A sealed number becomes a
    /// string.
    ///
    /// # Errors
    ///
    /// Those of [`Vault::open_text`].
    pub fn open_json(&self, value: &serde_json::Value) -> Result<serde_json::Value, ScrubError> {
        use serde_json::Value;
        Ok(match value {
            Value::String(text) => Value::String(self.open_text(text)?),
            Value::Array(items) => Value::Array(items.iter().map(|v| self.open_json(v)).collect::<Result<_, _>>()?),
            Value::Object(map) => {
                let mut out = serde_json::Map::with_capacity(map.len());
                for (key, value) in map {
                    out.insert(self.open_text(key)?, self.open_json(value)?);
                }
                Value::Object(out)
            }
            other => other.clone(),
        })
    }
}

/// Parses `[NAME:CAPITALS]` at the start: name, token, length.
fn split_sealed(text: &str) -> Option<(&str, &str, usize)> {
    let close = text.bytes().take(MAX_SEALED_LETTERS + 64).position(|b| b == b']')?;
    let (name, body) = text.get(1..close)?.split_once(':')?;
    let named = !name.is_empty() && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    (named && body.len() >= 32 && body.bytes().all(|b| (b'A'..=b'P').contains(&b))).then_some((name, body, close + 1))
}
