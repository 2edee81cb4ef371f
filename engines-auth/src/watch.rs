//! Looking after open streams: who was let in once may not stay for ever.

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
    door::{Door, Inner},
    revocation::{Revocation, RevocationFeed},
};

/// How late a revocation may count, at the most.
const LATEST: Duration = Duration::from_secs(5);
/// How many are looked at side by side, where the directory has to read.
const AT_ONCE: usize = 64;
/// After how many others get a turn.
const TURN: usize = 512;

/// The streams that are open. One task looks after all of them, as long as there are any.
#[derive(Debug, Default)]
pub(crate) struct Watch(Mutex<Streams>);

#[derive(Debug, Default)]
struct Streams {
    open: BTreeMap<u64, Arc<Open>>,
    opened: u64,
    started: u64,
    /// Which task looks after them.
    task: Option<u64>,
}

struct Open {
    context: RequestContext,
    /// Where its end is told, once.
    end: Mutex<Option<oneshot::Sender<Error>>>,
    /// Times in a row it could not be told.
    untold: AtomicU32,
}

/// A future that is ready once its context is no longer good, with the reason. Small, and cheap to poll; give it up when the stream ends.
/// See [`Door::watch`].
#[must_use = "it tells when to close the stream"]
pub struct Watched {
    door: Door,
    number: u64,
    end: oneshot::Receiver<Error>,
}

impl Future for Watched {
    type Output = Error;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Error> {
        let end = ready!(Pin::new(&mut self.end).poll(cx));
        Poll::Ready(end.unwrap_or_else(|_| Error::internal("door.watch", "nobody looks after this stream any more")))
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.door.0.watch.lock().open.remove(&self.number);
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").field("number", &self.number).finish_non_exhaustive()
    }
}

impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Open").field("context", &self.context).finish_non_exhaustive()
    }
}

impl Door {
    /// Waits until the context is no longer good, and says why: the error of [`Door::still_valid`]. At once for what the directory revokes
    /// in this process, within 5 seconds for another node's. While the directory does not answer nobody is sent away until the 5 seconds
    /// are over; then it is `BACKEND_UNAVAILABLE`. Run it beside whatever stays open for this context. One task looks after all of them.
    ///
    /// # Panics
    /// Outside a tokio runtime with time.
    pub fn watch(&self, context: &RequestContext) -> Watched {
        let (told, end) = oneshot::channel();
        let open = Arc::new(Open { context: context.clone(), end: Mutex::new(Some(told)), untold: AtomicU32::new(0) });
        let mut streams = self.0.watch.lock();
        streams.opened += 1;
        let number = streams.opened;
        streams.open.insert(number, open);
        if streams.task.is_none() {
            streams.started += 1;
            let task = streams.started;
            streams.task = Some(task);
            drop(streams);
            let running = Running { door: Arc::downgrade(&self.0), task };
            tokio::spawn(look_after(running));
        }
        Watched { door: self.clone(), number, end }
    }
}

/// Lets another task take over when this one ends, however it does.
struct Running {
    door: Weak<Inner>,
    task: u64,
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(door) = self.door.upgrade() else { return };
        let mut streams = door.watch.lock();
        if streams.task == Some(self.task) {
            streams.task = None;
        }
    }
}

async fn look_after(running: Running) {
    let Some(door) = running.door.upgrade() else { return };
    let every = door.directory.as_ref().map_or(Duration::from_secs(1), |directory| directory.recheck_every());
    let mut feed = door.directory.as_ref().and_then(|directory| directory.revocations());
    drop(door);
    let mut ticks = interval(every.max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let told = tokio::select! {
            _ = ticks.tick() => None,
            revocation = next(feed.as_mut()) => Some(revocation),
        };
        let Some(door) = running.door.upgrade() else { return };
        let Some(all) = door.watch.all(running.task) else { return };
        let concerned = all.into_iter().filter(|open| {
            lock(&open.end).is_some() && told.as_ref().is_none_or(|revocation| revocation.concerns(&open.context))
        });
        look(&door, concerned.collect(), every).await;
    }
}

async fn next(feed: Option<&mut RevocationFeed>) -> Revocation {
    match feed {
        Some(feed) => feed.next().await,
        None => pending().await,
    }
}

async fn look(door: &Inner, streams: Vec<Arc<Open>>, every: Duration) {
    let stale = door.directory.as_ref().map_or(Duration::ZERO, |directory| directory.staleness());
    let patience = LATEST.saturating_sub(stale + every);
    for some in streams.chunks(TURN) {
        let looks = stream::iter(some).for_each_concurrent(AT_ONCE, |open| async move {
            match door.still_valid(&open.context).await {
                Ok(()) => open.untold.store(0, Ordering::Relaxed),
                Err(error)
                    if error.kind() == ErrorKind::Unavailable
                        && every.saturating_mul(open.untold.fetch_add(1, Ordering::Relaxed)) < patience => {}
                Err(error) => {
                    let told = lock(&open.end).take();
                    // Whoever has given it up need not hear.
                    let _ = told.map(|told| told.send(error));
                }
            }
        });
        looks.await;
        tokio::task::yield_now().await;
    }
}

impl Watch {
    /// Whom `task` looks after; nobody any more, when there is nobody left, and then it is no longer the one.
    fn all(&self, task: u64) -> Option<Vec<Arc<Open>>> {
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

    fn lock(&self) -> MutexGuard<'_, Streams> {
        lock(&self.0)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
