//! [`OutboxSettings`]: batch size, intervals and delays of the outbox.

use std::time::Duration;

use engines_core::clock::IdGenerator;

/// Settings of the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxSettings {
    /// Number of events read from the feed at a time, which is also the maximum in one batch; at least 1. Default:
    /// 200.
    pub batch_events: usize,
    /// Time after which a worker reads the feed although it was not woken. Default: 1 s.
    pub poll_interval: Duration,
    /// Maximum duration of one write to a sink; after it the write counts as failed. Default: 60 s.
    pub write_timeout: Duration,
    /// Delay after the first failure; it doubles with each consecutive failure. Default: 200 ms.
    pub retry_first: Duration,
    /// Maximum delay between two attempts. Default: 60 s.
    pub retry_max: Duration,
}

impl Default for OutboxSettings {
    fn default() -> Self {
        Self {
            batch_events: 200,
            poll_interval: Duration::from_secs(1),
            write_timeout: Duration::from_secs(60),
            retry_first: Duration::from_millis(200),
            retry_max: Duration::from_secs(60),
        }
    }
}

impl OutboxSettings {
    /// Returns the delay after this number of consecutive failures: a random time between half and all of an
    /// exponentially growing delay, so that workers that failed together do not retry together. The delay is at least
    /// what the failure asks for (`asked`) and at most `retry_max`.
    pub(super) fn retry_wait(&self, failures: u32, asked: Option<Duration>, ids: &IdGenerator) -> Duration {
        let doublings = failures.saturating_sub(1).min(20);
        let full = self.retry_first.saturating_mul(1 << doublings).min(self.retry_max);
        let half = full / 2;
        let random = u32::from_be_bytes(ids.bytes());
        let jitter = half.mul_f64(f64::from(random) / f64::from(u32::MAX));
        (half + jitter).max(asked.unwrap_or_default()).min(self.retry_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_waits_grow_within_limits() {
        let ids = IdGenerator::seeded(1);
        let settings = OutboxSettings::default();
        for failures in 0..2000 {
            let wait = settings.retry_wait(failures, None, &ids);
            assert!(wait >= settings.retry_first / 2 && wait <= settings.retry_max, "{failures}: {wait:?}");
        }
        assert!(settings.retry_wait(u32::MAX, None, &ids) >= settings.retry_max / 2);
        assert_eq!(settings.retry_wait(1, Some(Duration::from_secs(5)), &ids), Duration::from_secs(5));
        assert_eq!(settings.retry_wait(1, Some(Duration::from_secs(500)), &ids), settings.retry_max);
    }
}
