//! The keys our own tokens are signed with, one after the other.

use engines_core::{Code, Error, Result, Timestamp};

use crate::secret::SigningSecret;

/// A signing secret with a name (`kid`, RFC 7515 section 4.1.4), once it has been replaced perhaps with an end.
#[derive(Debug)]
pub struct SigningKey {
    pub(super) kid: Option<Box<str>>,
    pub(super) secret: SigningSecret,
    pub(super) until: Option<Timestamp>,
}

impl SigningKey {
    /// The longest name, in bytes.
    pub const MAX_KID: usize = 64;

    /// A key with a name, which is written into the tokens it signs.
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

    /// A key without a name, as every deployment has before its first rotation.
    #[must_use]
    pub fn unnamed(secret: SigningSecret) -> Self {
        Self { kid: None, secret, until: None }
    }

    /// Has it verify nothing from `end` on, whatever the tokens say; for a key that has become known to others.
    #[must_use]
    pub fn until(self, end: Timestamp) -> Self {
        Self { until: Some(end), ..self }
    }
}

/// The key that signs, and those before it, which verify until their tokens have expired.
///
/// To rotate: make the new key `current` on all nodes, the old one `previous`; when the longest token's time has passed, drop it. Nodes that
/// do not have the new key yet refuse its tokens, so first give it to all as `previous`, then make it `current`.
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
    /// The most keys at a time. A token that names none of them is tried with each.
    pub const MAX: usize = 8;

    /// One key.
    #[must_use]
    pub fn new(current: SigningKey) -> Self {
        Self(vec![current])
    }

    /// Adds a key that verifies and no longer signs.
    ///
    /// # Errors
    /// When there are [`SigningKeys::MAX`] already, or one with this name.
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

    /// The key that signs.
    pub(super) fn current(&self) -> Result<&SigningKey> {
        self.0.first().ok_or_else(|| invalid_keys("there is no signing key"))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &SigningKey> {
        self.0.iter()
    }
}

fn invalid_keys(detail: &'static str) -> Error {
    Error::new(Code::Internal, "auth.settings", detail)
}
