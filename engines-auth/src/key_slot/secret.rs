//! A secret from a third party.

use std::fmt;

use engines_core::{Error, Result};
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

/// A secret for a slot: text of 1 to [`SlotSecret::MAX_BYTES`] bytes. Its `Debug` output does not contain it, it has no
/// `Serialize`, and it is overwritten in memory when dropped.
///
/// ```
/// use engines_auth::key_slot::SlotSecret;
/// assert_eq!(format!("{:?}", SlotSecret::new("sk-live-1234".into())?), "SlotSecret(…)");
/// # Ok::<(), engines_core::Error>(())
/// ```
pub struct SlotSecret(Zeroizing<String>);

impl SlotSecret {
    /// The longest secret, in bytes.
    pub const MAX_BYTES: usize = 16 << 10;

    /// Takes the text as it is.
    ///
    /// # Errors
    /// `BODY_INVALID` when it is empty or too long.
    pub fn new(text: String) -> Result<Self> {
        let secret = Self(Zeroizing::new(text));
        if secret.0.is_empty() || secret.0.len() > Self::MAX_BYTES {
            return Err(Error::invalid_body("key_slots.secret", "secret", "a secret has 1 to 16,384 bytes"));
        }
        Ok(secret)
    }

    /// Returns the text. Use it only for the call to the third party.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for SlotSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl fmt::Debug for SlotSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SlotSecret(…)")
    }
}
