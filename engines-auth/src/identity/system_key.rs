//! The key that opens the bootstrap.

use engines_core::{Code, Error, Result};
use sha2::{Digest, Sha256};

use crate::secret::same_bytes;

/// `SYSTEM_BOOTSTRAP_KEY`: kept as a hash, compared in constant time.
#[derive(Clone)]
pub struct SystemKey([u8; 32]);

impl SystemKey {
    /// Takes the key as it is. It should have 32 random bytes: nothing but a limit per address slows down whoever guesses.
    ///
    /// # Errors
    /// When it is empty.
    pub fn new(key: impl AsRef<[u8]>) -> Result<Self> {
        if key.as_ref().is_empty() {
            return Err(Error::new(Code::Internal, "identity.system_key", "the bootstrap key must not be empty"));
        }
        Ok(Self(Sha256::digest(key.as_ref()).into()))
    }

    /// Whether this is the key. Hashes are compared, so that not even the length tells.
    pub(crate) fn fits(&self, given: &[u8]) -> bool {
        same_bytes(&Sha256::digest(given), &self.0)
    }
}

impl std::fmt::Debug for SystemKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SystemKey(…)")
    }
}
