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

use crate::{
    admission::{Admission, Inner},
    revocation::{Revocation, RevocationFeed},
};

/// The longest delay of a revocation.
const MAX_REVOCATION_DELAY: Duration = Duration::from_secs(5);
/// Checks that run at the same time, for a directory that has to read.
const MAX_CONCURRENT_CHECKS: usize = 64;
/// Checks after which the task yields to other tasks.
const CHECKS_PER_TURN: usize = 512;

/// The open streams. One task checks all of them, as long as there are any.
#[derive(Debug, Default)]
pub(crate) struct SessionMonitor(Mutex<MonitoredSessions>);

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
/// when the stream ends. See [`Admission::monitor`].
#[must_use = "it tells when to close the stream"]
pub struct MonitoredSession {
    admission: Admission,
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
        self.admission.0.monitor.lock().open.remove(&self.number);
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

impl Admission {
    /// Monitors a context until it is no longer valid. The future completes with the error of
    /// [`Admission::check_still_valid`]: at once for what the directory revokes in this process, within 5 seconds for
    /// revocations on other nodes. If the directory does not respond, the context stays valid until the 5 seconds are
    /// over, and then ends with `BACKEND_UNAVAILABLE`. Await it beside everything that stays open for this context. One
    /// task checks all contexts.
    ///
    /// # Panics
    /// Outside of a tokio runtime with time.
    pub fn monitor(&self, context: &RequestContext) -> MonitoredSession {
        let (told, end) = oneshot::channel();
        let open = Arc::new(MonitorEntry {
            context: context.clone(),
            end: Mutex::new(Some(told)),
            failed_checks: AtomicU32::new(0),
        });
        let mut streams = self.0.monitor.lock();
        streams.last_entry_id += 1;
        let number = streams.last_entry_id;
        streams.open.insert(number, open);
        if streams.task.is_none() {
            streams.last_task_id += 1;
            let task = streams.last_task_id;
            streams.task = Some(task);
            drop(streams);
            let running = MonitorTask { admission: Arc::downgrade(&self.0), task };
            tokio::spawn(run_monitor(running));
        }
        MonitoredSession { admission: self.clone(), number, end }
    }
}

/// Marks the task as ended when dropped, so that another one can start.
struct MonitorTask {
    admission: Weak<Inner>,
    task: u64,
}

impl Drop for MonitorTask {
    fn drop(&mut self) {
        let Some(admission) = self.admission.upgrade() else { return };
        let mut streams = admission.monitor.lock();
        if streams.task == Some(self.task) {
            streams.task = None;
        }
    }
}

async fn run_monitor(running: MonitorTask) {
    let Some(admission) = running.admission.upgrade() else { return };
    let every = admission.directory.as_ref().map_or(Duration::from_secs(1), |directory| directory.recheck_every());
    let mut feed = admission.directory.as_ref().and_then(|directory| directory.revocations());
    drop(admission);
    let mut ticks = interval(every.max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let told = tokio::select! {
            _ = ticks.tick() => None,
            revocation = next_revocation(feed.as_mut()) => Some(revocation),
        };
        let Some(admission) = running.admission.upgrade() else { return };
        let Some(all) = admission.monitor.snapshot(running.task) else { return };
        let concerned = all.into_iter().filter(|open| {
            lock(&open.end).is_some() && told.as_ref().is_none_or(|revocation| revocation.concerns(&open.context))
        });
        check_sessions(&admission, concerned.collect(), every).await;
    }
}

async fn next_revocation(feed: Option<&mut RevocationFeed>) -> Revocation {
    match feed {
        Some(feed) => feed.next().await,
        None => pending().await,
    }
}

async fn check_sessions(admission: &Inner, streams: Vec<Arc<MonitorEntry>>, every: Duration) {
    let stale = admission.directory.as_ref().map_or(Duration::ZERO, |directory| directory.staleness());
    let patience = MAX_REVOCATION_DELAY.saturating_sub(stale + every);
    for some in streams.chunks(CHECKS_PER_TURN) {
        let looks = stream::iter(some).for_each_concurrent(MAX_CONCURRENT_CHECKS, |open| async move {
            match admission.check_still_valid(&open.context).await {
                Ok(()) => open.failed_checks.store(0, Ordering::Relaxed),
                Err(error)
                    if error.kind() == ErrorKind::Unavailable
                        && every.saturating_mul(open.failed_checks.fetch_add(1, Ordering::Relaxed)) < patience => {}
                Err(error) => {
                    let told = lock(&open.end).take();
                    // The receiver may be dropped.
                    let _ = told.map(|told| told.send(error));
                }
            }
        });
        looks.await;
        tokio::task::yield_now().await;
    }
}

impl SessionMonitor {
    /// Returns the streams that `task` checks. Returns `None` if another task has replaced it, or if there are no
    /// streams, which ends the task.
    fn snapshot(&self, task: u64) -> Option<Vec<Arc<MonitorEntry>>> {
        let mut streams = self.lock();
        if streams.task != Some(task) {
            return None;
        }
        if streams.open.is_empty() {
            streams.task = None;
            return None;
        }
        Some(streams.open.values().cloned().collect())
    }

    fn lock(&self) -> MutexGuard<'_, MonitoredSessions> {
        lock(&self.0)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
