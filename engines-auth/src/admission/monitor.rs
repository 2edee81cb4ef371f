//! Monitoring of open streams: a stream ends when its context is no longer valid.

use std::{
    collections::BTreeMap,
    fmt,
    future::{Future, pending},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use engines_core::{Error, ErrorKind, RequestContext};
use futures_util::{StreamExt, stream};
use tokio::{
    sync::oneshot,
    time::{MissedTickBehavior, interval},
};

use super::validity::ContextValidity;
use crate::revocation::{Revocation, RevocationFeed};

/// The longest delay of a revocation.
const MAX_REVOCATION_DELAY: Duration = Duration::from_secs(5);
/// Checks that run at the same time, for a directory that has to read.
const MAX_CONCURRENT_CHECKS: usize = 64;
/// Checks after which the task yields to other tasks.
const CHECKS_PER_TURN: usize = 512;

/// The open streams. One task checks all of them, as long as there are any.
#[derive(Debug)]
pub(super) struct SessionMonitor {
    validity: ContextValidity,
    sessions: Mutex<MonitoredSessions>,
}

#[derive(Debug, Default)]
struct MonitoredSessions {
    open: BTreeMap<u64, Arc<MonitorEntry>>,
    last_entry_id: u64,
    last_task_id: u64,
    /// The task that checks the streams.
    task: Option<u64>,
}

struct MonitorEntry {
    context: RequestContext,
    /// The sender of the reason for the end. It is taken when the reason is sent.
    end: Mutex<Option<oneshot::Sender<Error>>>,
    /// The number of failed checks in a row.
    failed_checks: AtomicU32,
}

/// A future that completes with the reason when its context is no longer valid. It is small and cheap to poll. Drop it
/// when the stream ends. See [`Admission::monitor`](super::Admission::monitor).
#[must_use = "it tells when to close the stream"]
pub struct MonitoredSession {
    monitor: Arc<SessionMonitor>,
    number: u64,
    end: oneshot::Receiver<Error>,
}

impl Future for MonitoredSession {
    type Output = Error;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Error> {
        let end = ready!(Pin::new(&mut self.end).poll(cx));
        Poll::Ready(
            end.unwrap_or_else(|_| Error::internal("admission.monitor", "the monitor of this stream has stopped")),
        )
    }
}

impl Drop for MonitoredSession {
    fn drop(&mut self) {
        self.monitor.lock().open.remove(&self.number);
    }
}

impl fmt::Debug for MonitoredSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MonitoredSession").field("number", &self.number).finish_non_exhaustive()
    }
}

impl fmt::Debug for MonitorEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MonitorEntry").field("context", &self.context).finish_non_exhaustive()
    }
}

/// Marks the task as ended when dropped, so that another one can start.
struct MonitorTask {
    monitor: Weak<SessionMonitor>,
    task: u64,
}

impl Drop for MonitorTask {
    fn drop(&mut self) {
        let Some(monitor) = self.monitor.upgrade() else { return };
        let mut sessions = monitor.lock();
        if sessions.task == Some(self.task) {
            sessions.task = None;
        }
    }
}

async fn run_monitor(running: MonitorTask) {
    let Some(monitor) = running.monitor.upgrade() else { return };
    let directory = monitor.validity.directory.as_ref();
    let every = directory.map_or(Duration::from_secs(1), |directory| directory.recheck_every());
    let mut feed = directory.and_then(|directory| directory.revocations());
    drop(monitor);
    let mut ticks = interval(every.max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let revocation = tokio::select! {
            _ = ticks.tick() => None,
            revocation = next_revocation(feed.as_mut()) => Some(revocation),
        };
        let Some(monitor) = running.monitor.upgrade() else { return };
        let Some(all) = monitor.snapshot(running.task) else { return };
        let concerned = all.into_iter().filter(|entry| {
            lock(&entry.end).is_some()
                && revocation.as_ref().is_none_or(|revocation| revocation.concerns(&entry.context))
        });
        check_sessions(&monitor.validity, concerned.collect(), every).await;
    }
}

async fn next_revocation(feed: Option<&mut RevocationFeed>) -> Revocation {
    match feed {
        Some(feed) => feed.next().await,
        None => pending().await,
    }
}

async fn check_sessions(validity: &ContextValidity, entries: Vec<Arc<MonitorEntry>>, every: Duration) {
    let staleness = validity.directory.as_ref().map_or(Duration::ZERO, |directory| directory.staleness());
    let patience = MAX_REVOCATION_DELAY.saturating_sub(staleness + every);
    for turn in entries.chunks(CHECKS_PER_TURN) {
        let checks = stream::iter(turn).for_each_concurrent(MAX_CONCURRENT_CHECKS, |entry| async move {
            match validity.check_still_valid(&entry.context).await {
                Ok(()) => entry.failed_checks.store(0, Ordering::Relaxed),
                Err(error)
                    if error.kind() == ErrorKind::Unavailable
                        && every.saturating_mul(entry.failed_checks.fetch_add(1, Ordering::Relaxed)) < patience => {}
                Err(error) => {
                    let end = lock(&entry.end).take();
                    // The receiver may be dropped.
                    let _ = end.map(|end| end.send(error));
                }
            }
        });
        checks.await;
        tokio::task::yield_now().await;
    }
}

impl SessionMonitor {
    pub(super) fn new(validity: ContextValidity) -> Self {
        Self { validity, sessions: Mutex::default() }
    }

    /// Monitors a context, and starts the task if it does not run.
    pub(super) fn monitor(self: &Arc<Self>, context: &RequestContext) -> MonitoredSession {
        let (sender, end) = oneshot::channel();
        let entry = Arc::new(MonitorEntry {
            context: context.clone(),
            end: Mutex::new(Some(sender)),
            failed_checks: AtomicU32::new(0),
        });
        let mut sessions = self.lock();
        sessions.last_entry_id += 1;
        let number = sessions.last_entry_id;
        sessions.open.insert(number, entry);
        if sessions.task.is_none() {
            sessions.last_task_id += 1;
            let task = sessions.last_task_id;
            sessions.task = Some(task);
            drop(sessions);
            tokio::spawn(run_monitor(MonitorTask { monitor: Arc::downgrade(self), task }));
        }
        MonitoredSession { monitor: Arc::clone(self), number, end }
    }

    /// Returns the streams that `task` checks. Returns `None` if another task has replaced it, or if there are no
    /// streams, which ends the task.
    fn snapshot(&self, task: u64) -> Option<Vec<Arc<MonitorEntry>>> {
        let mut sessions = self.lock();
        if sessions.task != Some(task) {
            return None;
        }
        if sessions.open.is_empty() {
            sessions.task = None;
            return None;
        }
        Some(sessions.open.values().cloned().collect())
    }

    fn lock(&self) -> MutexGuard<'_, MonitoredSessions> {
        lock(&self.sessions)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
