//! Ends a response whose credential has ended, even if its client reads nothing.

use std::{
    pin::Pin,
    sync::Weak,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Sleep, sleep};

use crate::streaming::CredentialEnd;

/// How long the last event may wait. A client that reads gets it in the next turn of the connection's task. The time is
/// small beside the 5 s within which a revocation must take effect.
const LAST_EVENT_GRACE: Duration = Duration::from_millis(250);

/// Waits for the moment at which a response must end. hyper does not poll a body while its client grants no window or
/// does not read, so the body cannot end the response by itself.
#[derive(Debug, Default)]
pub(super) struct CutOff(Option<Pin<Box<Sleep>>>);

impl CutOff {
    /// Becomes ready once the credential has ended and the time for the last event is over.
    pub(super) fn poll(&mut self, end: &Weak<CredentialEnd>, cx: &mut Context<'_>) -> Poll<()> {
        if self.0.is_none() && end.upgrade().is_some_and(|end| end.poll_end(cx).is_ready()) {
            self.0 = Some(Box::pin(sleep(LAST_EVENT_GRACE)));
        }
        match &mut self.0 {
            Some(grace) => grace.as_mut().poll(cx),
            None => Poll::Pending,
        }
    }
}
