//! Tokens that were verified a moment ago, so that a client's next request does not pay for the same signature again.
//!
//! Only what passed every check gets in, under the SHA-256 of the whole token, and it stays for [`CACHE_TTL`] at the most and never past its
//! `exp`: what changes meanwhile (a key that ends, a clock that steps back) counts as soon as it would for a membership. Whether
//! the user may still come in is not decided here but by the door's directory, which is asked each time.

use std::{sync::Arc, time::Duration};

use engines_core::{Principal, Timestamp};
use quick_cache::sync::Cache;
use sha2::{Digest, Sha256};

/// How long a verification counts.
const CACHE_TTL: Duration = Duration::from_secs(5);
/// How many are remembered; each takes some 300 bytes.
const CAPACITY: usize = 4096;

pub(super) struct TokenCache(Cache<[u8; 32], CachedToken>);

#[derive(Clone)]
struct CachedToken {
    principal: Arc<Principal>,
    verified_at: Timestamp,
}

/// The name a token is remembered under.
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

    /// Who this token proved to be asking, if that still counts.
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
