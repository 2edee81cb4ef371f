//! AES-256-GCM (NIST SP 800-38D) of `aws-lc-rs`, with a random nonce and base64 around it.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::{Engine, engine::general_purpose::STANDARD};
use engines_core::IdGenerator;
use zeroize::Zeroizing;

/// A key that seals and opens. A nonce has 96 random bits, so one key may seal 2^32 times.
pub(crate) struct AeadKey(LessSafeKey);

/// The error of sealing or opening. It has no details, because they would help an attacker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AeadError {
    /// A key, a nonce or a sealed text has the wrong form.
    Malformed,
    /// The sealed text was sealed with another key or bound to other data, or it was changed.
    Rejected,
}

/// A sealed text, in base64.
pub(crate) struct Sealed {
    pub(crate) nonce: String,
    pub(crate) ciphertext: String,
}

impl AeadKey {
    /// The number of bytes of a key.
    pub(crate) const BYTES: usize = 32;

    pub(crate) fn new(key: &[u8]) -> Result<Self, AeadError> {
        UnboundKey::new(&AES_256_GCM, key).map(|key| Self(LessSafeKey::new(key))).map_err(|_| AeadError::Malformed)
    }

    /// Seals `text`, bound to `associated_data`.
    pub(crate) fn seal(&self, text: &[u8], associated_data: &[u8], ids: &IdGenerator) -> Result<Sealed, AeadError> {
        let nonce: [u8; NONCE_LEN] = ids.bytes();
        // The capacity includes the tag. A reallocation would leave a copy of the text in memory.
        let mut bytes = Zeroizing::new(Vec::with_capacity(text.len() + AES_256_GCM.tag_len()));
        bytes.extend_from_slice(text);
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(associated_data), &mut *bytes)
            .map_err(|_| AeadError::Malformed)?;
        Ok(Sealed { nonce: STANDARD.encode(nonce), ciphertext: STANDARD.encode(&*bytes) })
    }

    /// Opens a sealed text that is bound to `associated_data`.
    pub(crate) fn open(
        &self,
        nonce: &str,
        ciphertext: &str,
        associated_data: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, AeadError> {
        let nonce = STANDARD.decode(nonce).map_err(|_| AeadError::Malformed)?;
        let nonce = Nonce::try_assume_unique_for_key(&nonce).map_err(|_| AeadError::Malformed)?;
        let mut bytes = Zeroizing::new(STANDARD.decode(ciphertext).map_err(|_| AeadError::Malformed)?);
        let opened =
            self.0.open_in_place(nonce, Aad::from(associated_data), &mut bytes).map_err(|_| AeadError::Rejected)?;
        let length = opened.len();
        bytes.truncate(length);
        Ok(bytes)
    }
}
