//! Ends an answer whose credential has ended, also where its client takes nothing.

use std::{
    pin::Pin,
    sync::Weak,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Sleep, sleep};

use crate::streaming::CredentialEnd;

/// How long the last event may wait. What a client with room takes is sent in the next turn of the connection's task; this is
/// little against the 5 s within which a revocation counts.
const LAST_EVENT_GRACE: Duration = Duration::from_millis(250);

/// Waits for the moment from which an answer may not go on. hyper does not ask a body for more while its client gives no
/// window or does not read, so that the body cannot end the answer by itself.
#[derive(Debug, Default)]
pub(super) struct CutOff(Option<Pin<Box<Sleep>>>);

impl CutOff {
    /// Ready once the credential has ended and the client has had its time for the last event.
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
