//! A cache with a short lifetime: it saves a read for each request, and revocations take effect soon.

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

/// A bounded cache. An entry is valid for `ttl` from the start of the read that found it, unless it is invalidated
/// before.
pub(crate) struct ExpiringCache<K, V> {
    cache: Cache<K, CacheEntry<V>>,
    /// The number of invalidations in each shard. An entry that was read before the last one is not used, even if the
    /// read ends later.
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

    /// Returns the entry, or reads it with `load` if it is missing or too old. A failed read is an error even
    /// when an old entry exists, so that the cache fails closed.
    pub(crate) async fn get<F: Future<Output = Result<V>>>(&self, key: &K, load: impl FnOnce() -> F) -> Result<V> {
        let (now, epoch) = (self.clock.now(), self.shard(key).load(Ordering::Acquire));
        if let Some(fact) = self.cache.get(key)
            && fact.epoch == epoch
            // After a clock was set back, an entry from the future is not used.
            && fact.loaded_at <= now
            && now.since(fact.loaded_at) < self.ttl
        {
            return Ok(fact.value);
        }
        let value = load().await?;
        self.cache.insert(key.clone(), CacheEntry { value: value.clone(), loaded_at: now, epoch });
        Ok(value)
    }

    /// Removes an entry, and makes the result of a read that is under way invalid.
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
        f.debug_struct("ExpiringCache").field("ttl", &self.ttl).finish_non_exhaustive()
    }
}
