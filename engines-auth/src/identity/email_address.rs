//! E-mail addresses: one spelling, and a keyed hash to find them by.

use std::fmt;

use engines_core::{Error, Result, context::Email};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use super::display_name::is_invisible;
use crate::secret::SigningSecret;

/// An address as it is kept and compared: in Unicode's form NFC (RFC 6532 section 3.1), small letters. It does not print itself.
///
/// Strictly, the part before the `@` may tell capitals apart (RFC 5321 section 2.4); no provider of note does, and people do not. The domain
/// must be written in ASCII, as browsers' e-mail fields do with an international one (`xn--…`).
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
        f.write_str("Address(…)")
    }
}

/// Makes keyed hashes of what must be found again and not be read: addresses of people and of machines.
#[derive(Clone)]
pub(crate) struct IndexHasher(Zeroizing<[u8; 32]>);

impl IndexHasher {
    /// A key of its own, made from the secret, so that nothing else this secret does reveals a hash.
    pub(crate) fn new(secret: &SigningSecret) -> Self {
        Self(Zeroizing::new(keyed_hash(secret.bytes(), "", "engines identity index v1")))
    }

    /// The salt of passwords that sign in with an address nobody has proved yet: the same for all accounts that name the address, so that
    /// one computation tells which of them a password fits.
    pub(crate) fn salt(&self, key: &str) -> [u8; 16] {
        let mut salt = [0; 16];
        salt.copy_from_slice(&keyed_hash(&*self.0, "salt", key)[..16]);
        salt
    }

    /// The hash of `text` among those of `realm`, in hex.
    pub(crate) fn hash(&self, namespace: &str, text: &str) -> String {
        keyed_hash(&*self.0, namespace, text).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Debug for IndexHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Index(…)")
    }
}

/// HMAC-SHA-256 (RFC 2104), which takes keys of any length.
fn keyed_hash(key: &[u8], namespace: &str, text: &str) -> [u8; 32] {
    match Hmac::<Sha256>::new_from_slice(key) {
        Ok(mac) => mac.chain_update(namespace).chain_update([0]).chain_update(text).finalize().into_bytes().into(),
        // Never: there is no length it refuses.
        Err(_) => [0; 32],
    }
}
