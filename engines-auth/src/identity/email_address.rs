//! E-mail addresses: normalisation, and the keyed hash by which they are found.

use std::fmt;

use engines_core::{Error, Result, context::Email, hex};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use crate::{invisible_characters::is_invisible, secret::SigningSecret};

/// An address in the form that is stored and compared: lower case, in Unicode's form NFC (RFC 6532 section 3.1). Its
/// `Debug` output does not contain it.
///
/// The part before the `@` may be case-sensitive (RFC 5321 section 2.4), but no large provider treats it so. The domain
/// must be ASCII. Browsers' e-mail fields write international domains as `xn--…`.
pub(crate) struct EmailAddress(Email);

impl EmailAddress {
    /// The longest address, in bytes (RFC 5321 section 4.5.3.1.3, without the angle brackets).
    pub(crate) const MAX_BYTES: usize = 254;

    /// The longest part before the `@` (RFC 5321 section 4.5.3.1.1).
    const MAX_LOCAL: usize = 64;

    pub(crate) fn parse(text: &str) -> Result<Self> {
        Self::normalize(text).ok_or_else(|| {
            Error::invalid_body(
                "auth.email",
                "/email",
                "not an e-mail address; an international domain is written as xn--…",
            )
        })
    }

    fn normalize(text: &str) -> Option<Self> {
        if text.len() > Self::MAX_BYTES {
            return None;
        }
        let text: String = text.trim_ascii().nfc().collect::<String>().to_lowercase();
        let (local, domain) = text.rsplit_once('@')?;
        let good_local = (1..=Self::MAX_LOCAL).contains(&local.len())
            && !local.chars().any(|c| c.is_whitespace() || is_invisible(c) || "@<>()[]\\,;:\"".contains(c))
            && local.split('.').all(|part| !part.is_empty());
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let good_domain = domain.len() <= 253 && domain.split('.').all(label);
        (good_local && good_domain && text.len() <= Self::MAX_BYTES).then(|| Self(Email::new(&text)))
    }

    pub(crate) fn as_str(&self) -> &str {
        self.0.expose()
    }
}

impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmailAddress(…)")
    }
}

/// Computes keyed hashes of values that must be found again but not be readable, such as e-mail and network addresses.
#[derive(Clone)]
pub(crate) struct IndexHasher(Zeroizing<[u8; 32]>);

impl IndexHasher {
    /// Creates a hasher. Its key is derived from the secret, so that other uses of the secret reveal no hash.
    pub(crate) fn new(secret: &SigningSecret) -> Self {
        Self(Zeroizing::new(keyed_hash(secret.bytes(), "", "engines identity index v1")))
    }

    /// Returns the salt of passwords whose address is not verified yet. It is the same for all accounts that claim the
    /// address, so that one computation shows which of them a password matches.
    pub(crate) fn salt(&self, key: &str) -> [u8; 16] {
        let mut salt = [0; 16];
        salt.copy_from_slice(&keyed_hash(&*self.0, "salt", key)[..16]);
        salt
    }

    /// Returns the hash of `text` within `namespace`, in hexadecimal.
    pub(crate) fn hash(&self, namespace: &str, text: &str) -> String {
        hex::encode(&keyed_hash(&*self.0, namespace, text))
    }
}

impl fmt::Debug for IndexHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IndexHasher(…)")
    }
}

/// HMAC-SHA-256 (RFC 2104), which takes keys of any length.
fn keyed_hash(key: &[u8], namespace: &str, text: &str) -> [u8; 32] {
    match Hmac::<Sha256>::new_from_slice(key) {
        Ok(mac) => mac.chain_update(namespace).chain_update([0]).chain_update(text).finalize().into_bytes().into(),
        // Unreachable: HMAC accepts keys of any length.
        Err(_) => [0; 32],
    }
}
