//! The signing keys of our own tokens, and their rotation.

use engines_core::{Code, Error, Result, Timestamp};

use crate::secret::SigningSecret;

/// A signing secret with an optional name (`kid`, RFC 7515 section 4.1.4), and an end if it was replaced.
#[derive(Debug)]
pub struct SigningKey {
    pub(super) kid: Option<Box<str>>,
    pub(super) secret: SigningSecret,
    pub(super) until: Option<Timestamp>,
}

impl SigningKey {
    /// The longest name, in bytes.
    pub const MAX_KID: usize = 64;

    /// Creates a key with a name, which is written into the tokens that it signs.
    ///
    /// # Errors
    /// When the name is not 1 to [`SigningKey::MAX_KID`] letters, digits, `_`, `-` or `.`.
    pub fn new(kid: &str, secret: SigningSecret) -> Result<Self> {
        let fits = (1..=Self::MAX_KID).contains(&kid.len())
            && kid.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
        if !fits {
            return Err(invalid_keys("a key's name (kid) is 1 to 64 letters, digits, _, - or ."));
        }
        Ok(Self { kid: Some(kid.into()), secret, until: None })
    }

    /// Creates a key without a name, which is what a deployment has before its first rotation.
    #[must_use]
    pub fn unnamed(secret: SigningSecret) -> Self {
        Self { kid: None, secret, until: None }
    }

    /// Sets the time from which the key verifies nothing, whatever the tokens say. For a key that has leaked.
    #[must_use]
    pub fn until(self, end: Timestamp) -> Self {
        Self { until: Some(end), ..self }
    }
}

/// The current key, which signs, and the previous keys, which verify until their tokens have expired.
///
/// To rotate keys without an interruption:
///
/// 1. Give the new key to all nodes as `previous`, because nodes without it refuse its tokens.
/// 2. Make it `current` on all nodes, and the old key `previous`.
/// 3. Drop the old key when the longest lifetime of a token has passed.
///
/// ```
/// use engines_auth::{SigningKey, SigningKeys, SigningSecret};
/// let old = SigningSecret::new("at least thirty-two bytes, kept out of the code")?;
/// let new = SigningSecret::new("another thirty-two bytes, kept out of the code")?;
/// let keys = SigningKeys::new(SigningKey::new("2026-02", new)?).previous(SigningKey::unnamed(old))?;
/// # Ok::<(), engines_core::Error>(())
/// ```
#[derive(Debug)]
pub struct SigningKeys(Vec<SigningKey>);

impl SigningKeys {
    /// The largest number of keys. A token that names none of them is tried with each.
    pub const MAX: usize = 8;

    /// Creates a set of one key.
    #[must_use]
    pub fn new(current: SigningKey) -> Self {
        Self(vec![current])
    }

    /// Adds a key that verifies and does not sign.
    ///
    /// # Errors
    /// When there already are [`SigningKeys::MAX`] keys, or one with this name.
    pub fn previous(mut self, key: SigningKey) -> Result<Self> {
        if self.0.len() >= Self::MAX {
            return Err(invalid_keys("at most 8 signing keys at a time; drop those whose tokens have expired"));
        }
        if key.kid.is_some() && self.0.iter().any(|known| known.kid == key.kid) {
            return Err(invalid_keys("two signing keys have the same name (kid)"));
        }
        self.0.push(key);
        Ok(self)
    }

    /// Returns the key that signs.
    pub(super) fn current(&self) -> Result<&SigningKey> {
        self.0.first().ok_or_else(|| invalid_keys("no signing key is configured"))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &SigningKey> {
        self.0.iter()
    }
}

fn invalid_keys(detail: &'static str) -> Error {
    Error::new(Code::Internal, "auth.settings", detail)
}
