//! Rate limits on tries, such as logins and mails.

use std::time::Duration;

use engines_core::{Code, Error, Result, Timestamp};
use serde::{Deserialize, Serialize};

use crate::token_buckets::{BucketSize, Buckets};

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

/// The largest number of keys that are remembered.
const MAX_KEYS: usize = 65_536;

/// Counts tries by key, in this process. When there are too many keys, the key with the most tries left is removed
/// first.
#[derive(Debug)]
pub(crate) struct RateLimiter(Buckets);

impl RateLimiter {
    pub(crate) fn new() -> Self {
        Self(Buckets::new(MAX_KEYS))
    }

    /// Takes one try of `subject` at `limit_name`.
    ///
    /// # Errors
    /// `RATE_LIMITED`, with the time until a try is available.
    pub(crate) fn take(&self, limit_name: &'static str, subject: &str, rate: Rate, now: Timestamp) -> Result<()> {
        let Some(size) = rate.bucket_size() else { return Ok(()) };
        let taken = self.0.take(self.0.key(limit_name, subject), size, now);
        taken.map(|_| ()).map_err(|wait| {
            let detail = "too many tries; retry after the time in Retry-After";
            let error = Error::new(Code::RateLimited, limit_name, detail);
            error.with_member("limit", rate.burst).with_retry_after(wait)
        })
    }

    /// Returns a try that turned out to be legitimate.
    pub(crate) fn refund(&self, limit_name: &'static str, subject: &str, rate: Rate) {
        if let Some(size) = rate.bucket_size() {
            self.0.put_back(self.0.key(limit_name, subject), size);
        }
    }
}

impl Rate {
    fn bucket_size(self) -> Option<BucketSize> {
        BucketSize::with_interval(self.burst, Duration::from_millis(self.every_ms))
    }
}
