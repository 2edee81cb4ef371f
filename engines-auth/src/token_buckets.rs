//! A bounded table of token buckets. Each bucket is stored as one time (GCRA, ITU-T I.371 annex A).

use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasher, BuildHasherDefault, Hash, Hasher, RandomState},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use engines_core::Timestamp;

const SHARDS: usize = 64;
const NANOS_PER_SECOND: u64 = 1_000_000_000;
/// The largest difference between the clock readings of concurrent callers: a second.
const MAX_SKEW_NANOS: u64 = NANOS_PER_SECOND;

/// The size of a bucket and the rate at which it fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BucketSize {
    /// Requests allowed at once after a pause.
    pub(crate) burst: u32,
    /// Nanoseconds until one more request is allowed.
    nanos_per_token: u64,
}

impl BucketSize {
    /// Returns `None` when `per_second` is 0, which means no limit.
    pub(crate) fn per_second(per_second: u32, burst: u32) -> Option<Self> {
        (per_second > 0)
            .then(|| Self { burst: burst.max(1), nanos_per_token: (NANOS_PER_SECOND / u64::from(per_second)).max(1) })
    }

    /// Returns `None` when `interval` is zero, which means no limit.
    pub(crate) fn with_interval(burst: u32, interval: Duration) -> Option<Self> {
        let nanos_per_token = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX);
        (nanos_per_token > 0).then(|| Self { burst: burst.max(1), nanos_per_token })
    }

    fn full(self) -> u64 {
        self.nanos_per_token.saturating_mul(u64::from(self.burst))
    }
}

/// The number of tokens left in a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BucketLevel {
    pub(crate) remaining: u32,
    /// Time until the bucket is full.
    pub(crate) reset: Duration,
}

/// The key of a bucket: a keyed hash, so that callers cannot choose names that collide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BucketKey(u64);

/// Stores for each bucket the time at which it is full again. Full buckets are removed. When the table is full, the
/// bucket that is nearest to full is removed first, because its owner gains the least from that.
pub(crate) struct Buckets {
    shards: Box<[Mutex<BucketTable>]>,
    /// The largest number of buckets in a shard.
    shard_capacity: usize,
    hasher: RandomState,
}

type BucketTable = HashMap<u64, u64, BuildHasherDefault<KeyHasher>>;

/// Passes keys through, because they are hashes already.
#[derive(Default)]
struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

impl fmt::Debug for Buckets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buckets").field("shard_capacity", &self.shard_capacity).finish_non_exhaustive()
    }
}

impl Buckets {
    /// Creates a table of at most `capacity` buckets, rounded up to a multiple of 64.
    pub(crate) fn new(capacity: usize) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { shards, shard_capacity: capacity.div_ceil(SHARDS).max(1), hasher: RandomState::new() }
    }

    /// Returns the key of `owner`'s bucket of this kind.
    pub(crate) fn key(&self, kind: impl Hash, owner: &str) -> BucketKey {
        BucketKey(self.hasher.hash_one((kind, owner)))
    }

    /// Takes one token out of a bucket.
    ///
    /// # Errors
    /// The time until a token is available.
    pub(crate) fn take(&self, key: BucketKey, size: BucketSize, now: Timestamp) -> Result<BucketLevel, Duration> {
        let now = to_nanos(now);
        let mut table = self.shard(key);
        let before = time_when_full(&table, key, size, now);
        let full_at = before.saturating_add(size.nanos_per_token);
        let over = (full_at - now).saturating_sub(size.full());
        if over > 0 {
            if let Some(kept) = table.get_mut(&key.0) {
                // Stored, because after the clock was set back a little the wait would otherwise start again at each try.
                *kept = before;
            }
            return Err(Duration::from_nanos(over));
        }
        if !table.contains_key(&key.0) {
            evict(&mut table, self.shard_capacity, now);
        }
        table.insert(key.0, full_at);
        Ok(level(full_at, size, now))
    }

    /// Returns one token to a bucket.
    pub(crate) fn put_back(&self, key: BucketKey, size: BucketSize) {
        if let Some(full_at) = self.shard(key).get_mut(&key.0) {
            *full_at = full_at.saturating_sub(size.nanos_per_token);
        }
    }

    /// Returns the level of a bucket.
    pub(crate) fn level(&self, key: BucketKey, size: BucketSize, now: Timestamp) -> BucketLevel {
        let now = to_nanos(now);
        level(time_when_full(&self.shard(key), key, size, now), size, now)
    }

    /// Returns the number of buckets.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        let tables = self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner));
        tables.map(|table| table.len()).sum()
    }

    fn shard(&self, BucketKey(key): BucketKey) -> MutexGuard<'_, BucketTable> {
        // The hash map uses the low bits.
        let shard = usize::try_from(key >> 32).unwrap_or_default() % self.shards.len();
        self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the time at which the bucket is full, or `now` if it is.
///
/// A time that no number of tries can lead to was written while the clock was ahead: such a bucket is full, so that a clock
/// that was set back locks no caller out. A difference of up to [`MAX_SKEW_NANOS`] is a race between two callers that
/// read the clock in one order and took the bucket in another: such a bucket is empty.
fn time_when_full(table: &BucketTable, key: BucketKey, size: BucketSize, now: u64) -> u64 {
    let latest = now.saturating_add(size.full());
    match table.get(&key.0) {
        Some(full_at) if *full_at <= latest.saturating_add(MAX_SKEW_NANOS) => (*full_at).clamp(now, latest),
        _ => now,
    }
}

fn level(full_at: u64, size: BucketSize, now: u64) -> BucketLevel {
    let used = full_at - now;
    let remaining = size.full().saturating_sub(used) / size.nanos_per_token;
    BucketLevel { remaining: u32::try_from(remaining).unwrap_or(u32::MAX), reset: Duration::from_nanos(used) }
}

/// Makes room for a bucket: removes full buckets whenever the table would grow, and one more if that is not enough.
fn evict(table: &mut BucketTable, capacity: usize, now: u64) {
    if table.len() < table.capacity() && table.len() < capacity {
        return;
    }
    table.retain(|_, full_at| *full_at > now);
    if table.len() >= capacity
        && let Some(key) = table.iter().min_by_key(|(_, full_at)| **full_at).map(|(key, _)| *key)
    {
        table.remove(&key);
    }
}

fn to_nanos(at: Timestamp) -> u64 {
    u64::try_from(at.as_millis()).unwrap_or_default().saturating_mul(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + millis)
    }

    fn size(per_second: u32, burst: u32) -> BucketSize {
        BucketSize { burst, nanos_per_token: NANOS_PER_SECOND / u64::from(per_second) }
    }

    #[test]
    fn the_table_keeps_its_bound_and_forgets_full_buckets_first() {
        let buckets = Buckets::new(128);
        let size = size(10, 5);
        let limited = buckets.key(0, "limited");
        for _ in 0..5 {
            assert!(buckets.take(limited, size, at(0)).is_ok());
        }
        for other in 0..10_000 {
            assert!(buckets.take(buckets.key(0, &format!("other{other}")), size, at(0)).is_ok());
        }
        assert!(buckets.len() <= 128, "{}", buckets.len());
        // Buckets of other callers do not remove a bucket that is in use.
        assert_eq!(buckets.take(limited, size, at(0)), Err(Duration::from_millis(100)));
        // When all buckets are full, the next insertion into a full shard removes them.
        for other in 0..200 {
            assert!(buckets.take(buckets.key(0, &format!("later{other}")), size, at(60_000)).is_ok());
        }
        assert!(buckets.len() <= 128);
        assert_eq!(buckets.level(limited, size, at(60_000)).remaining, 5);
    }

    #[test]
    fn the_largest_rate_is_one_in_a_nanosecond() {
        let (buckets, size) = (Buckets::new(128), BucketSize::per_second(u32::MAX, 1).unwrap());
        let key = buckets.key(0, "ada");
        assert!(buckets.take(key, size, at(0)).is_ok());
        assert_eq!(buckets.level(key, size, at(1)).remaining, 1);
    }

    #[test]
    fn a_bucket_is_full_after_the_clock_was_set_back() {
        let (buckets, size) = (Buckets::new(128), size(1, 2));
        let key = buckets.key(0, "ada");
        assert!(buckets.take(key, size, at(3_600_000)).is_ok());
        assert!(buckets.take(key, size, at(0)).is_ok());
        assert!(buckets.take(key, size, at(0)).is_ok());
        assert_eq!(buckets.take(key, size, at(0)), Err(Duration::from_secs(1)));
    }

    #[test]
    fn a_caller_that_read_the_clock_earlier_than_another_gets_no_new_burst() {
        let (buckets, size) = (Buckets::new(128), size(1, 2));
        let key = buckets.key(0, "ada");
        assert!(buckets.take(key, size, at(5)).is_ok());
        assert!(buckets.take(key, size, at(5)).is_ok());
        assert_eq!(buckets.take(key, size, at(4)), Err(Duration::from_secs(1)));
        assert_eq!(buckets.take(key, size, at(500)), Err(Duration::from_millis(504)));
    }
}
