//! Keys that verify tokens, and their algorithms.

use std::fmt;

use jsonwebtoken::{Algorithm, DecodingKey};

/// An algorithm of a key in a key set (RFC 7518 section 3.1). All others, `none` included, are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyAlgorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
}

impl KeyAlgorithm {
    pub(super) const ALL: [Self; 5] = [Self::Hs256, Self::Hs384, Self::Hs512, Self::Rs256, Self::Es256];

    /// Returns the registered name, which is compared exactly as written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
        }
    }

    pub(super) const fn to_algorithm(self) -> Algorithm {
        match self {
            Self::Hs256 => Algorithm::HS256,
            Self::Hs384 => Algorithm::HS384,
            Self::Hs512 => Algorithm::HS512,
            Self::Rs256 => Algorithm::RS256,
            Self::Es256 => Algorithm::ES256,
        }
    }

    /// Returns the least number of bytes of a shared key: as many as the hash has (RFC 7518 section 3.2).
    pub(super) const fn min_secret_bytes(self) -> usize {
        match self {
            Self::Hs384 => 48,
            Self::Hs512 => 64,
            _ => 32,
        }
    }
}

/// A key that verifies one algorithm. Its `Debug` output does not contain it.
pub struct VerifyingKey {
    pub(super) alg: KeyAlgorithm,
    pub(super) kid: Option<String>,
    pub(super) key: DecodingKey,
}

impl VerifyingKey {
    /// Returns the algorithm of the key.
    #[must_use]
    pub fn alg(&self) -> KeyAlgorithm {
        self.alg
    }

    pub(super) fn decoding_key(&self) -> &DecodingKey {
        &self.key
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyingKey").field("alg", &self.alg).field("kid", &self.kid).finish_non_exhaustive()
    }
}
