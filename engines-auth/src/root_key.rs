//! The root key: the secret that must stay the same for the lifetime of the store, and the keys derived from it.

use std::fmt;

use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use engines_core::{Error, IdGenerator, MIN_SECRET_BYTES, Result, check_secret_strength, hex};
use zeroize::Zeroizing;

/// The root key of a deployment. It is not used directly: each purpose has its own key, derived with HKDF-SHA-256 (RFC
/// 5869), so that a leak of one key reveals nothing about the others. Overwritten in memory when dropped. Its `Debug`
/// output does not contain it.
///
/// Without it, users can no longer be found by their addresses, and key slots cannot be opened.
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

/// A key for one purpose. Its `Debug` output does not contain it. Overwritten in memory when dropped.
#[derive(Clone)]
pub struct DerivedKey(Zeroizing<[u8; DerivedKey::BYTES]>);

/// The label of the key for the index of users by e-mail address.
pub const INDEX: &str = "index";

/// The label of the key that seals key slots.
pub const SEAL: &str = "seal";

/// The label of the public fingerprint of a root key.
const FINGERPRINT: &str = "fingerprint";

/// The label of the key for pseudonyms of personal data.
pub const PSEUDONYM: &str = "pseudonym";

impl RootKey {
    /// The least number of bytes.
    pub const MIN_BYTES: usize = MIN_SECRET_BYTES;

    /// Takes the key as it is, bytes or text. It must be random, because it is not stretched like a password.
    ///
    /// # Errors
    /// When [`check_secret_strength`] rejects it.
    pub fn new(key: impl AsRef<[u8]>) -> Result<Self> {
        let key = key.as_ref();
        check_secret_strength("the root key", key)?;
        Ok(Self(Zeroizing::new(key.to_vec())))
    }

    /// Creates a random key, for a store that ends with the process.
    #[must_use]
    pub fn random(ids: &IdGenerator) -> Self {
        Self(Zeroizing::new(Zeroizing::new(ids.bytes::<32>()).to_vec()))
    }

    /// Derives the key for one purpose. The same label always yields the same key. Stored data depends on the labels,
    /// so they never change.
    ///
    /// # Errors
    /// None at present: the output is far below the bound of the standard.
    pub fn derive(&self, label: &str) -> Result<DerivedKey> {
        let failed = |_| Error::internal("auth.root_key", "no key could be derived");
        let info = [b"engines root key v1 ".as_slice(), label.as_bytes()];
        let extracted = Salt::new(HKDF_SHA256, b"").extract(&self.0);
        let mut key = Zeroizing::new([0; DerivedKey::BYTES]);
        extracted.expand(&info, DerivedKeyLength).and_then(|output| output.fill(&mut *key)).map_err(failed)?;
        Ok(DerivedKey(key))
    }

    /// Returns a fingerprint that distinguishes this key from others and reveals nothing else: 16 derived bytes in
    /// hexadecimal. It may be stored beside the data.
    ///
    /// # Errors
    /// As [`RootKey::derive`].
    pub fn fingerprint(&self) -> Result<String> {
        let derived = self.derive(FINGERPRINT)?;
        Ok(hex::encode(&derived.expose()[..16]))
    }

    /// Returns the key itself. Write it only to where the key is kept.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl DerivedKey {
    /// The number of bytes of a key.
    pub const BYTES: usize = 32;

    /// Returns the bytes, for the one purpose.
    #[must_use]
    pub fn expose(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

/// The length of a derived key for HKDF.
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
