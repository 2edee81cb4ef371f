//! Runs the streams of an HTTP/2 connection, and ends those whose client does not read.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
    time::Duration,
};

use hyper::rt::Executor;
use tokio::{sync::watch, time::timeout};

use super::{activity::ConnectionActivity, activity::Exchange, cut_off::CutOff, watched_body::ResponseFlow};
use crate::{deadline_io::WriteDeadline, limits::BudgetShare};

/// How long the last frames of a stream whose credential has ended may wait for the client. hyper's reset is queued
/// behind them, and a client that grants no window would keep them forever.
const LAST_FRAME_GRACE: Duration = Duration::from_secs(1);

/// The resources of one stream while it runs.
#[derive(Debug)]
pub(super) struct StreamGuard {
    pub(super) flow: Arc<ResponseFlow>,
    pub(super) exchange: Exchange,
    pub(super) share: Option<BudgetShare>,
}

/// Runs streams. It is cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct StreamExecutor {
    deadline: WriteDeadline,
    activity: ConnectionActivity,
    /// The resources of the next stream. hyper calls the service and hands over the stream's future directly one after
    /// the other.
    next: Arc<Mutex<Option<StreamGuard>>>,
    /// Whether a stream could not be ended by itself after its credential had ended.
    undelivered_end: watch::Sender<bool>,
}

impl StreamExecutor {
    pub(super) fn new(deadline: WriteDeadline, activity: ConnectionActivity) -> Self {
        Self { deadline, activity, next: Arc::default(), undelivered_end: watch::Sender::new(false) }
    }

    /// Starts a stream, whose future is the next to be executed.
    pub(super) fn begin(&self, share: Option<BudgetShare>) -> Arc<ResponseFlow> {
        let flow = Arc::<ResponseFlow>::default();
        let guard = StreamGuard { flow: Arc::clone(&flow), exchange: self.activity.begin(), share };
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = Some(guard);
        flow
    }

    /// Waits until a client has not taken the end of a stream whose credential has ended. The connection must then be
    /// closed.
    pub(super) async fn undelivered_end(&self) {
        // This cannot fail, because the sender is in `self`.
        let mut receiver = self.undelivered_end.subscribe();
        let _seen = receiver.wait_for(|undelivered| *undelivered).await;
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for StreamExecutor {
    fn execute(&self, future: F) {
        let guard = self.next.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (deadline, undelivered_end) = (self.deadline.clone(), self.undelivered_end.clone());
        tokio::spawn(async move {
            match guard {
                Some(StreamGuard { flow, exchange, share }) => {
                    until_stalled(future, &flow, &deadline).await;
                    if flow.credential_ended() && timeout(LAST_FRAME_GRACE, flow.all_sent()).await.is_err() {
                        undelivered_end.send_replace(true);
                    }
                    drop((exchange, share));
                }
                None => future.await,
            }
        });
    }
}

/// Runs a stream until it ends, a frame has waited too long, or the stream's credential has ended. In the last two
/// cases the stream is reset.
async fn until_stalled(future: impl Future<Output = ()>, flow: &ResponseFlow, deadline: &WriteDeadline) {
    let mut future = pin!(future);
    let (mut stall, mut cut_off) = (None, CutOff::default());
    poll_fn(|cx| {
        if future.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        if let Some(end) = flow.credential_end()
            && cut_off.poll(end, cx).is_ready()
        {
            return Poll::Ready(());
        }
        let Some(frames) = flow.waiting_after_frames() else {
            stall = None;
            return Poll::Pending;
        };
        let timer = match &mut stall {
            Some((at, timer)) if *at == frames => timer,
            other => &mut other.insert((frames, deadline.stall_timer())).1,
        };
        timer.as_mut().poll(cx)
    })
    .await;
}
