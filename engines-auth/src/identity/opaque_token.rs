//! Opaque credentials: a public id that finds the record, and a random secret whose hash the record keeps.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use engines_core::IdGenerator;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use ulid::Ulid;
use zeroize::Zeroizing;

use crate::secret::{SecretText, same_bytes};

/// The number of characters of 32 bytes in base64url.
const SECRET_CHARS: usize = 43;

/// A kind of opaque credential: `<prefix>_<ULID>_<secret>`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OpaqueTokenKind(pub(crate) &'static str);

/// SHA-256 of the whole text of a credential, in base64url. A fast hash is enough, because the secret has 256 random
/// bits and cannot be guessed. Slow hashes are for passwords, which people choose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct TokenHash(String);

impl OpaqueTokenKind {
    /// Mints a credential, and returns its text and the hash to store.
    pub(crate) fn mint(self, id: Ulid, ids: &IdGenerator) -> (SecretText, TokenHash) {
        let secret = Zeroizing::new(URL_SAFE_NO_PAD.encode(*Zeroizing::new(ids.bytes::<32>())));
        let text = SecretText::new(format!("{}_{id}_{}", self.0, *secret));
        let hashed = TokenHash::of(text.expose());
        (text, hashed)
    }

    /// Returns whether `text` begins like this kind.
    pub(crate) fn is_prefix_of(self, text: &str) -> bool {
        text.strip_prefix(self.0).is_some_and(|rest| rest.starts_with('_'))
    }

    /// Returns the id in `text`, if it is well-formed.
    pub(crate) fn id(self, text: &str) -> Option<Ulid> {
        let (id, secret) = text.strip_prefix(self.0)?.strip_prefix('_')?.split_once('_')?;
        if secret.len() != SECRET_CHARS {
            return None;
        }
        Ulid::from_string(id).ok().filter(|parsed| parsed.to_string() == id)
    }
}

impl TokenHash {
    /// Returns the hash of a text.
    pub(crate) fn of(text: &str) -> Self {
        Self(URL_SAFE_NO_PAD.encode(Sha256::digest(text.as_bytes())))
    }

    /// Returns whether this is the hash of the text, in constant time.
    pub(crate) fn matches(&self, text: &str) -> bool {
        same_bytes(Self::of(text).0.as_bytes(), self.0.as_bytes())
    }
}
