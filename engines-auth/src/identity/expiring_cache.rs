//! What was last read about somebody, for a short time: so that a request does not cost a read, and a revocation counts soon.

use std::{
    fmt,
    future::Future,
    hash::{BuildHasher, Hash, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use engines_core::{Clock, Result, Timestamp};
use quick_cache::sync::Cache;

const SHARDS: usize = 256;

/// A bounded cache of facts. One is believed for `ttl` after the read that found it began, and not after it was forgotten.
pub(crate) struct ExpiringCache<K, V> {
    cache: Cache<K, CacheEntry<V>>,
    /// Counts the times something of a shard was forgotten. A fact read before that is not believed, even if the read ends later.
    invalidations: [AtomicU64; SHARDS],
    hasher: RandomState,
    ttl: Duration,
    clock: Arc<dyn Clock>,
}

#[derive(Clone)]
struct CacheEntry<V> {
    value: V,
    loaded_at: Timestamp,
    epoch: u64,
}

impl<K: Hash + Eq + Clone, V: Clone> ExpiringCache<K, V> {
    pub(crate) fn new(capacity: usize, ttl: Duration, clock: Arc<dyn Clock>) -> Self {
        let forgotten = std::array::from_fn(|_| AtomicU64::new(0));
        Self { cache: Cache::new(capacity), invalidations: forgotten, hasher: RandomState::new(), ttl, clock }
    }

    /// The fact, read with `load` if it is not known or too old. A failed read is an error even when an old fact is there: fail closed.
    pub(crate) async fn get<F: Future<Output = Result<V>>>(&self, key: &K, load: impl FnOnce() -> F) -> Result<V> {
        let (now, epoch) = (self.clock.now(), self.shard(key).load(Ordering::Acquire));
        if let Some(fact) = self.cache.get(key)
            && fact.epoch == epoch
            // A clock that was set back makes no fact younger.
            && fact.loaded_at <= now
            && now.since(fact.loaded_at) < self.ttl
        {
            return Ok(fact.value);
        }
        let value = load().await?;
        self.cache.insert(key.clone(), CacheEntry { value: value.clone(), loaded_at: now, epoch });
        Ok(value)
    }

    /// Forgets what is known, and what a read that is under way is about to find.
    pub(crate) fn invalidate(&self, key: &K) {
        self.shard(key).fetch_add(1, Ordering::Release);
        self.cache.remove(key);
    }

    fn shard(&self, key: &K) -> &AtomicU64 {
        let hash = self.hasher.hash_one(key);
        &self.invalidations[usize::from(hash.to_le_bytes()[0])]
    }
}

impl<K, V> fmt::Debug for ExpiringCache<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Facts").field("ttl", &self.ttl).finish_non_exhaustive()
    }
}
