//! Rate limits on tries: a bounded table of leaky buckets (GCRA, ITU-T I.371 annex A).

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use engines_core::{Code, Error, Result, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A rate: a burst, and the interval at which one more try becomes available.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// Tries at once after a pause; at least 1.
    pub burst: u32,
    /// Milliseconds until one more try is available.
    pub every_ms: u64,
}

/// Keys remembered in each of the [`SHARDS`].
const SHARD_CAPACITY: usize = 1024;
const SHARDS: usize = 64;

type KeyHash = [u8; 16];

/// Counts tries by key, in this process. When a shard is full, the key with the most tries left is removed first.
#[derive(Debug)]
pub(crate) struct RateLimiter(Vec<Mutex<HashMap<KeyHash, Timestamp>>>);

impl RateLimiter {
    pub(crate) fn new() -> Self {
        Self((0..SHARDS).map(|_| Mutex::default()).collect())
    }

    /// Takes one try of `subject` at `limit_name`.
    ///
    /// # Errors
    /// `RATE_LIMITED`, with the time until a try is available.
    pub(crate) fn take(&self, limit_name: &'static str, subject: &str, rate: Rate, now: Timestamp) -> Result<()> {
        let every = Duration::from_millis(rate.every_ms);
        let full = every.saturating_mul(rate.burst.max(1));
        self.with_shard(limit_name, subject, |table, key| {
            // A time that no number of tries can reach was written while the clock was ahead. It is ignored, so that it
            // locks no caller out.
            let possible = |until: &Timestamp| *until <= now.plus(full);
            let known = table.get(&key).copied().filter(possible).unwrap_or(now);
            let until = known.max(now).plus(every);
            let over = until.since(now).saturating_sub(full);
            if !over.is_zero() {
                let detail = "too many tries; retry after the time in Retry-After";
                return Err(Error::new(Code::RateLimited, limit_name, detail)
                    .with_member("limit", rate.burst)
                    .with_retry_after(over));
            }
            if table.len() >= SHARD_CAPACITY && !table.contains_key(&key) {
                evict(table, now);
            }
            table.insert(key, until);
            Ok(())
        })
    }

    /// Returns a try that turned out to be legitimate.
    pub(crate) fn refund(&self, limit_name: &'static str, subject: &str, rate: Rate) {
        self.with_shard(limit_name, subject, |table, key| {
            if let Some(until) = table.get_mut(&key) {
                let earlier = until.as_millis().saturating_sub(i64::try_from(rate.every_ms).unwrap_or(i64::MAX));
                *until = Timestamp::from_millis(earlier);
            }
        });
    }

    fn with_shard<T>(
        &self,
        limit_name: &str,
        subject: &str,
        work: impl FnOnce(&mut HashMap<KeyHash, Timestamp>, KeyHash) -> T,
    ) -> T {
        let digest = Sha256::new().chain_update(limit_name).chain_update([0]).chain_update(subject).finalize();
        let mut key = KeyHash::default();
        key.copy_from_slice(&digest[..16]);
        let shard = usize::from(digest[31]) % SHARDS;
        work(&mut self.0[shard].lock().unwrap_or_else(PoisonError::into_inner), key)
    }
}

fn evict(table: &mut HashMap<KeyHash, Timestamp>, now: Timestamp) {
    table.retain(|_, until| *until > now);
    if table.len() >= SHARD_CAPACITY
        && let Some(key) = table.iter().min_by_key(|(_, until)| **until).map(|(key, _)| *key)
    {
        table.remove(&key);
    }
}
