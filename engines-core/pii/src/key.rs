//! Keys for pseudonyms and sealed values.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

/// A key of one tenant, from the caller's key store. It does not print itself and is wiped when dropped.
///
/// Any length is accepted; fewer than 16 bytes give no protection. The keys in use are derived from it, one for each
/// purpose.
#[derive(Clone)]
pub struct PiiKey(Zeroizing<Vec<u8>>);

impl PiiKey {
    /// Makes a key from bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// Derives a tenant's key. The result is the same each time and does not help to find another tenant's key.
    #[must_use]
    pub fn for_tenant(&self, tenant: &str) -> Self {
        Self::new(self.mac(&[b"engines.pii.tenant.v1", tenant.as_bytes()]).as_slice())
    }

    /// HMAC-SHA-256 (RFC 2104) of several parts, each prefixed by its length so that different parts never give the
    /// same input.
    pub(crate) fn mac(&self, parts: &[&[u8]]) -> Zeroizing<[u8; 32]> {
        let mut out = Zeroizing::new([0; 32]);
        // HMAC accepts keys of any length.
        if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) {
            for part in parts {
                mac.update(&(part.len() as u64).to_be_bytes());
                mac.update(part);
            }
            out.copy_from_slice(&mac.finalize().into_bytes());
        }
        out
    }
}

impl fmt::Debug for PiiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PiiKey(..)")
    }
}

/// Writes bytes as letters from `base` on, four bits each, so that nothing in a token looks like a number or a key.
pub(crate) fn encode_letters(out: &mut String, bytes: &[u8], base: u8) {
    for b in bytes {
        out.push((base + (b >> 4)) as char);
        out.push((base + (b & 15)) as char);
    }
}

/// Decodes the letters that [`encode_letters`] wrote; `None` if they are not such letters.
pub(crate) fn decode_letters(text: &str, base: u8) -> Option<Vec<u8>> {
    let text = text.as_bytes();
    if !text.len().is_multiple_of(2) {
        return None;
    }
    let nibble = |b: u8| b.checked_sub(base).filter(|n| *n < 16);
    text.chunks_exact(2).map(|pair| Some(nibble(pair[0])? << 4 | nibble(pair[1])?)).collect()
}
