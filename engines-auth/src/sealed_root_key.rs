//! The root key sealed under a passphrase, so that it can be stored in a backup.

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use base64::{Engine, engine::general_purpose::STANDARD};
use engines_core::{Code, Error, IdGenerator, Result};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    aead::{AeadError, AeadKey, Sealed},
    root_key::RootKey,
};

const OPERATION: &str = "auth.sealed_root_key";
const FORMAT: u32 = 1;
const SALT_BYTES: usize = 16;
/// The cost of one derivation: the second recommended choice of RFC 9106, with 64 MiB of memory, about 0.2 s.
const DEFAULT_COST: KdfCost = KdfCost { memory_kib: 65_536, iterations: 3, lanes: 4 };
/// The highest cost that a sealed key may ask for when it is opened. It comes from outside and must not use up memory
/// or time.
const MAX_COST: KdfCost = KdfCost { memory_kib: 1 << 20, iterations: 32, lanes: 16 };

/// The data that a seal is bound to.
const ASSOCIATED_DATA: &[u8] = b"engines root key v1";

/// A passphrase that seals a root key. Its `Debug` output does not contain it. Overwritten in memory when dropped.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<Vec<u8>>);

#[derive(Clone, Copy, Serialize, Deserialize)]
struct KdfCost {
    memory_kib: u32,
    iterations: u32,
    lanes: u32,
}

/// The sealed key in its stored form: JSON.
#[derive(Serialize, Deserialize)]
struct SealedRootKey {
    format: u32,
    kdf: String,
    cost: KdfCost,
    salt: String,
    nonce: String,
    sealed: String,
}

impl Passphrase {
    /// The least number of bytes.
    pub const MIN_BYTES: usize = 16;

    /// Takes the passphrase as it is.
    ///
    /// # Errors
    /// When it has fewer than [`Passphrase::MIN_BYTES`] bytes.
    pub fn new(passphrase: impl AsRef<[u8]>) -> Result<Self> {
        let passphrase = passphrase.as_ref();
        if passphrase.len() < Self::MIN_BYTES {
            return Err(invalid_sealed_key(
                "a passphrase must have at least 16 bytes; create one with `openssl rand -base64 24`",
            ));
        }
        Ok(Self(Zeroizing::new(passphrase.to_vec())))
    }

    /// Seals a root key with AES-256-GCM (NIST SP 800-38D), under a key derived with argon2id (RFC 9106) from the
    /// passphrase and a random salt. It takes about 0.2 s and 64 MiB.
    ///
    /// ```
    /// use engines_auth::{Passphrase, RootKey};
    /// let root = RootKey::new("at least thirty-two bytes, kept out of the code")?;
    /// let passphrase = Passphrase::new("correct horse battery staple")?;
    /// let sealed = passphrase.seal(&root, &engines_core::IdGenerator::from_os()?)?;
    /// assert_eq!(passphrase.open(&sealed)?.fingerprint()?, root.fingerprint()?);
    /// assert!(Passphrase::new("another passphrase altogether")?.open(&sealed).is_err());
    /// # Ok::<(), engines_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// None at present.
    pub fn seal(&self, root: &RootKey, ids: &IdGenerator) -> Result<Vec<u8>> {
        let failed = |_| invalid_sealed_key("the root key could not be sealed");
        let salt: [u8; SALT_BYTES] = ids.bytes();
        let key = self.derive_key(DEFAULT_COST, &salt)?;
        let Sealed { nonce, ciphertext } = key.seal(root.expose(), ASSOCIATED_DATA, ids).map_err(failed)?;
        let sealed = SealedRootKey {
            format: FORMAT,
            kdf: "argon2id".to_owned(),
            cost: DEFAULT_COST,
            salt: STANDARD.encode(salt),
            nonce,
            sealed: ciphertext,
        };
        serde_json::to_vec_pretty(&sealed).map_err(|error| Error::internal(OPERATION, error))
    }

    /// Opens what [`Passphrase::seal`] returned.
    ///
    /// # Errors
    /// When it is damaged, has a newer format, or was sealed under another passphrase.
    pub fn open(&self, sealed: &[u8]) -> Result<RootKey> {
        let damaged = || invalid_sealed_key("the sealed root key is damaged or of a newer format");
        let sealed: SealedRootKey = serde_json::from_slice(sealed).map_err(|_| damaged())?;
        let within = sealed.cost.memory_kib <= MAX_COST.memory_kib
            && sealed.cost.iterations <= MAX_COST.iterations
            && sealed.cost.lanes <= MAX_COST.lanes;
        if sealed.format != FORMAT || sealed.kdf != "argon2id" || !within {
            return Err(damaged());
        }
        let salt = STANDARD.decode(&sealed.salt).map_err(|_| damaged())?;
        let key = self.derive_key(sealed.cost, &salt)?;
        let secret = key.open(&sealed.nonce, &sealed.sealed, ASSOCIATED_DATA).map_err(|error| match error {
            AeadError::Malformed => damaged(),
            AeadError::Rejected => invalid_sealed_key(
                "this passphrase does not open the sealed root key; use the one that it was sealed under",
            ),
        })?;
        RootKey::new(&*secret)
    }

    fn derive_key(&self, cost: KdfCost, salt: &[u8]) -> Result<AeadKey> {
        let failed =
            || invalid_sealed_key("no key could be derived from the passphrase: the sealed root key is damaged");
        let params =
            Params::new(cost.memory_kib, cost.iterations, cost.lanes, Some(AeadKey::BYTES)).map_err(|_| failed())?;
        let mut key = Zeroizing::new([0_u8; AeadKey::BYTES]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(&self.0, salt, &mut *key)
            .map_err(|_| failed())?;
        AeadKey::new(&*key).map_err(|_| failed())
    }
}

fn invalid_sealed_key(detail: &'static str) -> Error {
    Error::new(Code::Internal, OPERATION, detail)
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}
