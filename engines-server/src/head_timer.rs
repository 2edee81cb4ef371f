//! A timer for the head of a request that needs no entry in the runtime's timers for each request.
//!
//! Whenever hyper waits for a head, it asks its timer for a new deadline, and drops it when the head has arrived. This
//! timer only stores the deadline in the connection's state. One sleep for the whole connection is set to the first
//! deadline. When it ends, it is set to the deadline that is current by then.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use hyper::rt::{Sleep, Timer};

/// The timer of one HTTP/1 connection. Its deadlines pass only while [`HeadTimer::poll`] is called.
#[derive(Debug, Clone, Default)]
pub(crate) struct HeadTimer(Arc<Mutex<TimerState>>);

#[derive(Debug, Default)]
struct TimerState {
    /// The deadline that hyper waits for.
    due_at: Option<Instant>,
    /// The time for which the last sleep was set that has ended.
    fired_at: Option<Instant>,
}

/// The sleep of one connection.
pub(crate) type PendingSleep = Option<Pin<Box<tokio::time::Sleep>>>;

/// A deadline.
struct HeadDeadline {
    timer: HeadTimer,
    at: Instant,
}

impl HeadTimer {
    /// Polls the sleep. Returns whether the current deadline has passed, so that the connection must be polled again.
    pub(crate) fn poll(&self, pending: &mut PendingSleep, cx: &mut Context<'_>) -> bool {
        let Some(due) = self.state().due_at else { return false };
        let sleep = pending.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due.into())));
        if sleep.deadline().into_std() > due {
            sleep.as_mut().reset(due.into());
        }
        while sleep.as_mut().poll(cx).is_ready() {
            let fired = sleep.deadline().into_std();
            self.state().fired_at = Some(fired);
            if fired >= due {
                return true;
            }
            sleep.as_mut().reset(due.into());
        }
        false
    }

    fn state(&self) -> MutexGuard<'_, TimerState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Timer for HeadTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(HeadDeadline { timer: self.clone(), at: deadline })
    }

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}

impl Future for HeadDeadline {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        let mut state = self.timer.state();
        if state.fired_at.is_some_and(|fired| fired >= self.at) {
            return Poll::Ready(());
        }
        state.due_at = Some(self.at);
        Poll::Pending
    }
}

impl Sleep for HeadDeadline {}

impl Drop for HeadDeadline {
    fn drop(&mut self) {
        self.timer.state().due_at = None;
    }
}
