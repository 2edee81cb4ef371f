//! A bounded in-memory cache of the last committed values, shared by the readers and the writer.
//!
//! A reader that misses records the shard's generation *before* it reads the file, and passes that generation when it
//! inserts the value it read. The writer increments the generation with every change. A value that was read before a
//! change is therefore never inserted after it.

use std::{
    hash::{BuildHasher, Hash, RandomState},
    sync::{Mutex, MutexGuard, PoisonError},
};

use quick_cache::{Weighter, unsync};

use super::documents::{self, CachedDocument};

/// Number of shards, each with its own lock; a power of two.
const SHARDS: usize = 16;

/// A cache that is limited by the total weight of its values.
pub(super) struct ShardedCache<K, V, W> {
    shards: Box<[Mutex<Shard<K, V, W>>]>,
    hasher: RandomState,
}

struct Shard<K, V, W> {
    generation: u64,
    values: unsync::Cache<K, V, W>,
}

/// The generation of a shard at the time of a miss.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReadGeneration(u64);

impl<K: Eq + Hash, V: Clone, W: Weighter<K, V> + Clone> ShardedCache<K, V, W> {
    /// Creates a cache for about `items` values with a total weight of `weight`.
    pub(super) fn new(items: usize, weight: usize, weighter: W) -> Self {
        let shard = || {
            let weight = u64::try_from(weight / SHARDS).unwrap_or(u64::MAX);
            let values = unsync::Cache::with_weighter(items / SHARDS, weight, weighter.clone());
            Mutex::new(Shard { generation: 0, values })
        };
        Self { shards: (0..SHARDS).map(|_| shard()).collect(), hasher: RandomState::new() }
    }

    /// Returns the value, or the shard's generation when there is none.
    pub(super) fn get(&self, key: &K) -> Result<V, ReadGeneration> {
        let shard = self.shard(key);
        shard.values.get(key).cloned().ok_or(ReadGeneration(shard.generation))
    }

    /// Inserts a value that a reader read after a miss, unless the shard has changed since.
    pub(super) fn insert_if_current(&self, missed: ReadGeneration, key: K, value: V) {
        let mut shard = self.shard(&key);
        if shard.generation == missed.0 {
            shard.values.insert(key, value);
        }
    }

    /// Inserts a value that the writer has just committed.
    pub(super) fn insert(&self, key: K, value: V) {
        let mut shard = self.shard(&key);
        shard.generation += 1;
        // Remove first: a value that exceeds the weight limit is not inserted, and the old one must not stay.
        shard.values.remove(&key);
        shard.values.insert(key, value);
    }

    /// Removes all values.
    pub(super) fn clear(&self) {
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.generation += 1;
            shard.values.clear();
        }
    }

    fn shard(&self, key: &K) -> MutexGuard<'_, Shard<K, V, W>> {
        let at = usize::try_from(self.hasher.hash_one(key) >> 48).unwrap_or(0) % SHARDS;
        self.shards[at].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K, V, W> std::fmt::Debug for ShardedCache<K, V, W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cache")
    }
}

/// Gives every value the weight 1.
#[derive(Debug, Clone)]
pub(super) struct UnitWeight;

impl<K, V> Weighter<K, V> for UnitWeight {
    fn weight(&self, _: &K, _: &V) -> u64 {
        1
    }
}

/// Weighs documents by their size in bytes.
#[derive(Debug, Clone)]
pub(super) struct DocumentWeight;

/// Approximate size of a cached document besides its content.
const DOCUMENT_OVERHEAD_BYTES: usize = 256;

impl Weighter<documents::DocumentName, Option<CachedDocument>> for DocumentWeight {
    fn weight(&self, _: &documents::DocumentName, value: &Option<CachedDocument>) -> u64 {
        let content = value.as_ref().map_or(0, |stored| {
            stored.document.body.get().len() + stored.document.tags.iter().map(String::len).sum::<usize>()
        });
        (DOCUMENT_OVERHEAD_BYTES + content) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone)]
    struct One;
    impl Weighter<u8, u8> for One {
        fn weight(&self, _: &u8, value: &u8) -> u64 {
            u64::from(*value)
        }
    }

    #[test]
    fn a_read_from_before_a_change_is_not_cached() {
        let cache = ShardedCache::new(64, 64 * SHARDS, One);
        let missed = cache.get(&1).unwrap_err();
        cache.insert(1, 2);
        cache.insert_if_current(missed, 1, 1);
        assert_eq!(cache.get(&1).unwrap(), 2);
        cache.clear();
        cache.insert_if_current(missed, 1, 1);
        let missed = cache.get(&1).unwrap_err();
        cache.insert_if_current(missed, 1, 3);
        assert_eq!(cache.get(&1).unwrap(), 3);
    }

    #[test]
    fn an_oversized_value_evicts_the_older_one() {
        let cache = ShardedCache::new(64, 64 * SHARDS, One);
        cache.insert(1, 2);
        cache.insert(1, 200);
        assert_ne!(cache.get(&1).ok(), Some(2));
    }
}
