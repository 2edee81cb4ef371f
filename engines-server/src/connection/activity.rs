//! Counts the requests that a connection is handling.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep};

/// The number of requests that a connection is handling. It is cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct ConnectionActivity(Arc<ActivityCounts>);

#[derive(Debug)]
struct ActivityCounts {
    origin: Instant,
    open: AtomicUsize,
    /// Milliseconds after `origin` at which the last request ended.
    ended_ms: AtomicU64,
}

/// A request that is being handled, until it is dropped.
#[derive(Debug)]
pub(super) struct Exchange(ConnectionActivity);

impl ConnectionActivity {
    pub(super) fn new() -> Self {
        let counts = ActivityCounts { origin: Instant::now(), open: AtomicUsize::new(0), ended_ms: AtomicU64::new(0) };
        Self(Arc::new(counts))
    }

    /// Starts to count a request.
    pub(super) fn begin(&self) -> Exchange {
        self.0.open.fetch_add(1, Ordering::Relaxed);
        Exchange(self.clone())
    }

    /// Returns whether no request is being handled.
    pub(super) fn is_idle(&self) -> bool {
        self.0.open.load(Ordering::Relaxed) == 0
    }

    /// Waits until no request has been handled for `limit`.
    pub(super) async fn idle_for(&self, limit: Duration) {
        loop {
            let since = if self.is_idle() { self.0.origin + self.last_ended() } else { Instant::now() };
            let left = limit.saturating_sub(since.elapsed());
            if left.is_zero() {
                return;
            }
            sleep(left).await;
        }
    }

    fn last_ended(&self) -> Duration {
        Duration::from_millis(self.0.ended_ms.load(Ordering::Relaxed))
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let counts = &self.0.0;
        let ended = u64::try_from(counts.origin.elapsed().as_millis()).unwrap_or(u64::MAX);
        counts.ended_ms.store(ended, Ordering::Relaxed);
        counts.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_idle_a_while_after_its_last_request() {
        let limit = Duration::from_secs(60);
        let (activity, begun) = (ConnectionActivity::new(), Instant::now());
        let exchange = activity.begin();
        let waiting = tokio::spawn({
            let activity = activity.clone();
            async move { activity.idle_for(limit).await }
        });
        tokio::time::sleep(Duration::from_secs(100)).await;
        assert!(!waiting.is_finished() && !activity.is_idle());
        drop(exchange);
        waiting.await.unwrap();
        assert!(begun.elapsed() >= Duration::from_secs(160), "{:?}", begun.elapsed());
    }
}
