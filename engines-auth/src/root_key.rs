//! The one secret that must stay the same for as long as the store does, and the keys that are made from it.

use std::fmt;

use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use engines_core::{Error, IdGenerator, MIN_SECRET_BYTES, Result, check_secret_strength};
use zeroize::Zeroizing;

/// A deployment's root key. It is used for nothing itself: each purpose has a key of its own, made from it with HKDF-SHA-256 (RFC 5869), so
/// that nothing one of them gives away helps with another. Overwritten in memory when dropped; it does not print itself.
///
/// Whoever loses it can no longer find users by their addresses nor open key slots.
///
/// ```
/// use engines_auth::RootKey;
/// let root = RootKey::new("at least thirty-two bytes, kept out of the code")?;
/// assert_ne!(root.derive("seal")?.expose(), root.derive("index")?.expose());
/// assert_eq!(format!("{root:?} {:?}", root.derive("seal")?), "RootKey(…) DerivedKey(…)");
/// # Ok::<(), engines_core::Error>(())
/// ```
#[derive(Clone)]
pub struct RootKey(Zeroizing<Vec<u8>>);

/// A key for one purpose. It does not print itself; overwritten in memory when dropped.
#[derive(Clone)]
pub struct DerivedKey(Zeroizing<[u8; DerivedKey::BYTES]>);

/// Finds users by their e-mail addresses.
pub const INDEX: &str = "index";

/// Seals key slots.
pub const SEAL: &str = "seal";

/// Tells one root key from another, openly.
const FINGERPRINT: &str = "fingerprint";

/// Makes pseudonyms of personal data.
pub const PSEUDONYM: &str = "pseudonym";

impl RootKey {
    /// The least number of bytes.
    pub const MIN_BYTES: usize = MIN_SECRET_BYTES;

    /// Takes the key as it is, bytes or text. It must be random: it is not stretched as a password would be.
    ///
    /// # Errors
    /// When [`check_secret_strength`] refuses it.
    pub fn new(key: impl AsRef<[u8]>) -> Result<Self> {
        let key = key.as_ref();
        check_secret_strength("the root key", key)?;
        Ok(Self(Zeroizing::new(key.to_vec())))
    }

    /// A fresh one, for a store that ends with the process.
    #[must_use]
    pub fn random(ids: &IdGenerator) -> Self {
        Self(Zeroizing::new(Zeroizing::new(ids.bytes::<32>()).to_vec()))
    }

    /// The key for one purpose. The same label always gives the same key; labels are part of what is stored, so they never change.
    ///
    /// # Errors
    /// Never in practice: the output is far below the bound of the standard.
    pub fn derive(&self, label: &str) -> Result<DerivedKey> {
        let failed = |_| Error::internal("auth.root_key", "no key could be derived");
        let info = [b"engines root key v1 ".as_slice(), label.as_bytes()];
        let extracted = Salt::new(HKDF_SHA256, b"").extract(&self.0);
        let mut key = Zeroizing::new([0; DerivedKey::BYTES]);
        extracted.expand(&info, DerivedKeyLength).and_then(|output| output.fill(&mut *key)).map_err(failed)?;
        Ok(DerivedKey(key))
    }

    /// Tells this key from others and nothing else of it: 16 bytes made from it, in hexadecimal. It may be written down beside the data.
    ///
    /// # Errors
    /// As [`RootKey::derive`].
    pub fn fingerprint(&self) -> Result<String> {
        let derived = self.derive(FINGERPRINT)?;
        Ok(derived.expose().iter().take(16).map(|byte| format!("{byte:02x}")).collect())
    }

    /// The key itself, to be written where it is kept, and nowhere else.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl DerivedKey {
    /// Bytes of a key.
    pub const BYTES: usize = 32;

    /// The bytes, for the one purpose.
    #[must_use]
    pub fn expose(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

/// As many bytes as a key has.
#[derive(Clone, Copy)]
struct DerivedKeyLength;

impl KeyType for DerivedKeyLength {
    fn len(&self) -> usize {
        DerivedKey::BYTES
    }
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RootKey(…)")
    }
}

impl fmt::Debug for DerivedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DerivedKey(…)")
    }
}
