//! Secret types whose `Debug` output does not contain the secret, and comparison in constant time.

use std::fmt;

use engines_core::{Code, Error, MIN_SECRET_BYTES, Result, check_secret_strength};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// The key that signs and verifies our own tokens (HMAC with SHA-256). Overwritten in memory when dropped.
///
/// ```
/// use engines_auth::SigningSecret;
/// assert!(SigningSecret::new("too short").is_err());
/// let secret = SigningSecret::new("at least thirty-two bytes, kept out of the code")?;
/// assert_eq!(format!("{secret:?}"), "SigningSecret(…)");
/// # Ok::<(), engines_core::Error>(())
/// ```
pub struct SigningSecret(Zeroizing<Vec<u8>>);

impl SigningSecret {
    /// The least number of bytes: as many as the hash has (RFC 7518 section 3.2).
    pub const MIN_BYTES: usize = MIN_SECRET_BYTES;

    /// Takes the secret as it is, without trimming or decoding.
    ///
    /// # Errors
    /// When [`check_secret_strength`] rejects it, and when it is PEM or JWK text, because such a key is for another
    /// algorithm and its public half is no secret (RFC 8725 section 2.1).
    pub fn new(secret: impl AsRef<[u8]>) -> Result<Self> {
        let secret = secret.as_ref();
        check_secret_strength("the signing secret", secret)?;
        let pem = secret.windows(10).any(|window| window == b"-----BEGIN");
        let jwk = secret.trim_ascii_start().first() == Some(&b'{') && secret.windows(5).any(|part| part == b"\"kty\"");
        if pem || jwk {
            return Err(invalid_secret("the signing secret is a PEM or JWK text; use random bytes or random text"));
        }
        Ok(Self(Zeroizing::new(secret.to_vec())))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(…)")
    }
}

/// A secret text that enters or leaves the process: a refresh token, an API key, a ticket. It serialises as text. Its
/// `Debug` output does not contain it. Overwritten in memory when dropped.
#[derive(Clone)]
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// Wraps a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// Returns the text. Give it to its owner only.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(…)")
    }
}

impl Serialize for SecretText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

fn invalid_secret(detail: &'static str) -> Error {
    Error::new(Code::Internal, "auth.secret", detail)
}

/// Compares two secrets (a key, a hash of a token) in a time that depends only on their lengths.
#[must_use]
pub fn same_bytes(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}
