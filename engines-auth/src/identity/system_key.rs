//! The key that allows the bootstrap.

use engines_core::{Result, check_secret_strength};
use sha2::{Digest, Sha256};

use crate::secret::same_bytes;

/// The secret that a caller of the bootstrap sends as `X-System-Key`. The server reads it from the variable
/// `SYSTEM_BOOTSTRAP_KEY`. It is kept as a hash and compared in constant time.
#[derive(Clone)]
pub struct SystemKey([u8; 32]);

impl SystemKey {
    /// Takes the key as it is, bytes or text.
    ///
    /// # Errors
    /// When [`check_secret_strength`] rejects it.
    pub fn new(key: impl AsRef<[u8]>) -> Result<Self> {
        check_secret_strength("the bootstrap key", key.as_ref())?;
        Ok(Self(Sha256::digest(key.as_ref()).into()))
    }

    /// Returns whether this is the key. Hashes are compared, so that the time does not even reveal the length.
    pub(crate) fn matches(&self, candidate: &[u8]) -> bool {
        same_bytes(&Sha256::digest(candidate), &self.0)
    }
}

impl std::fmt::Debug for SystemKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SystemKey(…)")
    }
}
