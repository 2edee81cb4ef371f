//! Logs refusals at most once a second for each kind, so that a flood of requests does not cause a flood of log lines.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// The least time between two log lines of one kind.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// Counts the refusals of one kind.
#[derive(Debug, Default)]
pub(crate) struct RefusalLog(Mutex<RefusalCount>);

#[derive(Debug, Default)]
struct RefusalCount {
    refused: u64,
    reported: Option<Instant>,
}

impl RefusalLog {
    /// Counts a refusal. Returns the number of refusals since the last log line, if a log line is due.
    pub(crate) fn count(&self) -> Option<u64> {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counted.refused += 1;
        let now = Instant::now();
        if counted.reported.is_some_and(|reported| now.duration_since(reported) < REPORT_INTERVAL) {
            return None;
        }
        counted.reported = Some(now);
        Some(std::mem::take(&mut counted.refused))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_reported_once_a_second_with_its_size() {
        let log = RefusalLog::default();
        assert_eq!(log.count(), Some(1));
        assert!((0..500).all(|_| log.count().is_none()));
        tokio::time::advance(REPORT_INTERVAL).await;
        assert_eq!(log.count(), Some(501));
        assert_eq!(log.count(), None);
    }
}
