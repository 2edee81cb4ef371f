//! How eager and how patient the outbox is.

use std::time::Duration;

use engines_core::clock::IdGenerator;

/// Limits of the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxSettings {
    /// Events read from the feed at a time, and so in one batch at the most; at least 1. Default 200.
    pub batch_events: usize,
    /// Time between looks when nobody wakes the outbox. Default 1 s.
    pub poll_interval: Duration,
    /// How long a sink may take for a batch before it counts as not ready. Default 60 s.
    pub write_timeout: Duration,
    /// The wait after a first failure; it doubles with each one that follows. Default 200 ms.
    pub retry_first: Duration,
    /// The longest wait between two tries. Default 60 s.
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
    /// The wait after this many failures in a row: between half and all of an exponentially growing time, so that workers that
    /// failed together do not come back together; at least what the failure itself asks for, never more than `retry_max`.
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
