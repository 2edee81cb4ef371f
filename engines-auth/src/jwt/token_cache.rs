//! A cache of recently verified tokens, so that the next request of a client does not verify the same signature again.
//!
//! Only tokens that passed every check are added, under the SHA-256 of the whole token. An entry is used for
//! [`CACHE_TTL`] at most and never past its `exp`. So a change, such as a key that ends or a clock that is set back, takes
//! effect as soon as a change of a membership. The cache does not decide whether the user may still be admitted: the
//! directory of admission is asked at every request.

use std::{sync::Arc, time::Duration};

use engines_core::{Principal, Timestamp};
use quick_cache::sync::Cache;
use sha2::{Digest, Sha256};

/// The lifetime of an entry.
const CACHE_TTL: Duration = Duration::from_secs(5);
/// The largest number of entries. Each takes about 300 bytes.
const CAPACITY: usize = 4096;

pub(super) struct TokenCache(Cache<[u8; 32], CachedToken>);

#[derive(Clone)]
struct CachedToken {
    principal: Arc<Principal>,
    verified_at: Timestamp,
}

/// The digest of a token, which is its key in the cache.
pub(super) struct TokenDigest([u8; 32]);

impl TokenDigest {
    pub(super) fn of(token: &str) -> Self {
        Self(Sha256::digest(token).into())
    }
}

impl TokenCache {
    pub(super) fn new() -> Self {
        Self(Cache::new(CAPACITY))
    }

    /// Returns the principal of this token, if the entry is still valid.
    pub(super) fn get(&self, name: &TokenDigest, now: Timestamp) -> Option<Arc<Principal>> {
        let found = self.0.get(&name.0)?;
        let fresh = now >= found.verified_at && now.since(found.verified_at) < CACHE_TTL;
        let valid = found.principal.expires_at.is_some_and(|end| now < end);
        (fresh && valid).then_some(found.principal)
    }

    pub(super) fn insert(&self, name: TokenDigest, principal: &Arc<Principal>, at: Timestamp) {
        self.0.insert(name.0, CachedToken { principal: Arc::clone(principal), verified_at: at });
    }
}
