//! Sealing and opening of key slots.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use engines_core::{Code, Error, IdGenerator, Result, Scope, check_secret_strength};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::SlotSecret;
use crate::aead::{AeadKey, Sealed};

/// The keys of key slots: the first one seals, all of them open. The `Debug` output shows their ids only.
///
/// To rotate keys: put the new key first and keep the old one after it, run
/// [`KeySlots::reseal`](super::KeySlots::reseal) for every tenant and environment, then drop the old one. A nonce has
/// 96 random bits, so one key may seal 2^32 times.
///
/// ```
/// use engines_auth::key_slot::SealKeys;
/// let (new, old) = ("grcO7n8aUDm+8H7CNH8GbtCPXcdRJEfjQEMAAmtuVFU=", "lKBlaF1kxJgLuNRUSochqZoBrSGetZz2oV728Vodgws=");
/// let keys = SealKeys::parse(&format!("2026-02:{new}, 2025-02:{old}"))?;
/// assert_eq!(format!("{keys:?}"), r#"SealKeys(["2026-02", "2025-02"])"#);
/// # Ok::<(), engines_core::Error>(())
/// ```
pub struct SealKeys {
    current: (Box<str>, AeadKey),
    previous: Vec<(Box<str>, AeadKey)>,
}

/// The stored form of a secret. It reveals only the length of the secret.
#[derive(Serialize, Deserialize)]
pub(super) struct SealedSecret {
    /// The id of the key that sealed it.
    pub(super) key_id: String,
    nonce: String,
    sealed: String,
}

impl SealKeys {
    /// The number of bytes of a key.
    pub const KEY_BYTES: usize = AeadKey::BYTES;

    /// The largest number of keys.
    pub const MAX: usize = 8;

    /// Creates a set of one key, which seals. Its id (1 to 64 letters, digits, `_`, `-` or `.`) is stored with
    /// everything that it seals.
    ///
    /// # Errors
    /// When the id is malformed, the key does not have [`SealKeys::KEY_BYTES`] bytes, or [`check_secret_strength`]
    /// rejects it.
    pub fn new(id: &str, key: &[u8]) -> Result<Self> {
        Ok(Self { current: parse_key(id, key)?, previous: Vec::new() })
    }

    /// Adds a key that opens and does not seal.
    ///
    /// # Errors
    /// As [`SealKeys::new`]; also for an id that occurs twice, and for more than [`SealKeys::MAX`] keys.
    pub fn previous(mut self, id: &str, key: &[u8]) -> Result<Self> {
        if self.previous.len() + 1 >= Self::MAX || self.find(id).is_some() {
            return Err(invalid_seal_keys("at most 8 keys for slots, each with a different id"));
        }
        self.previous.push(parse_key(id, key)?);
        Ok(self)
    }

    /// Reads `id:key` pairs separated by commas. The first key seals. Keys are base64; create one with `openssl rand
    /// -base64 32`.
    ///
    /// # Errors
    /// When the text has another form.
    pub fn parse(text: &str) -> Result<Self> {
        let mut keys: Option<Self> = None;
        for pair in text.split(',') {
            let (id, key) = pair
                .trim()
                .split_once(':')
                .ok_or_else(|| invalid_seal_keys("keys for slots must be id:base64 pairs"))?;
            let key = Zeroizing::new(
                STANDARD.decode(key).map_err(|_| invalid_seal_keys("a key for slots must be 32 bytes in base64"))?,
            );
            keys = Some(match keys {
                None => Self::new(id, &key)?,
                Some(keys) => keys.previous(id, &key)?,
            });
        }
        keys.ok_or_else(|| invalid_seal_keys("no key for slots is set"))
    }

    /// Returns the id of the key that seals.
    #[must_use]
    pub fn current_id(&self) -> &str {
        &self.current.0
    }

    fn find(&self, id: &str) -> Option<&AeadKey> {
        std::iter::once(&self.current).chain(&self.previous).find(|(known, _)| **known == *id).map(|(_, key)| key)
    }

    pub(super) fn seal(
        &self,
        scope: &Scope,
        slot: &str,
        secret: &SlotSecret,
        ids: &IdGenerator,
    ) -> Result<SealedSecret> {
        let failed = |_| invalid_seal_keys("a slot could not be sealed");
        let (id, key) = &self.current;
        let bound = associated_data(scope, slot, id)?;
        let Sealed { nonce, ciphertext } = key.seal(secret.expose().as_bytes(), &bound, ids).map_err(failed)?;
        Ok(SealedSecret { key_id: id.to_string(), nonce, sealed: ciphertext })
    }

    pub(super) fn open(&self, scope: &Scope, slot: &str, sealed: &SealedSecret) -> Result<SlotSecret> {
        let failed = || {
            Error::new(
                Code::Internal,
                "key_slots.open",
                "none of the configured keys opens this slot; configure the key that sealed it, or store the secret again",
            )
        };
        let key = self.find(&sealed.key_id).ok_or_else(failed)?;
        let bound = associated_data(scope, slot, &sealed.key_id)?;
        let text = key.open(&sealed.nonce, &sealed.sealed, &bound).map_err(|_| failed())?;
        SlotSecret::new(std::str::from_utf8(&text).map_err(|_| failed())?.to_owned())
    }
}

/// Returns the data that a seal is bound to. It is JSON, so that different lists of parts never have the same bytes.
fn associated_data(scope: &Scope, slot: &str, key_id: &str) -> Result<Vec<u8>> {
    serde_json::to_vec(&("engines.key_slot.v1", scope.tenant(), scope.env(), slot, key_id))
        .map_err(|error| Error::internal("key_slots.seal", error))
}

fn parse_key(id: &str, key: &[u8]) -> Result<(Box<str>, AeadKey)> {
    let named = (1..=64).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
    if !named {
        return Err(invalid_seal_keys("a key's id is 1 to 64 letters, digits, _, - or ."));
    }
    if key.len() != SealKeys::KEY_BYTES {
        return Err(invalid_seal_keys("a key for slots is 32 random bytes; make one with `openssl rand -base64 32`"));
    }
    check_secret_strength("a key for slots", key)?;
    let key = AeadKey::new(key).map_err(|_| invalid_seal_keys("a key for slots is 32 random bytes"))?;
    Ok((id.into(), key))
}

fn invalid_seal_keys(detail: &'static str) -> Error {
    Error::new(Code::Internal, "key_slots.keys", detail)
}

impl fmt::Debug for SealKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<_> = std::iter::once(&self.current).chain(&self.previous).map(|(id, _)| id).collect();
        f.debug_tuple("SealKeys").field(&ids).finish()
    }
}
