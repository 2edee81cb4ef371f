//! The end of a stream's credential, for the stream's body and for the connection that sends it.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError, Weak},
    task::{Context, Poll, ready},
};

use engines::{Error, auth::MonitoredSession};

/// What a body knows of its credential.
pub(super) enum Credential {
    /// The body alone waits for the end.
    Own(MonitoredSession),
    /// The connection waits for it too, because it may stop asking the body for more.
    Shared(Arc<CredentialEnd>),
    /// It has ended, and the body has said so.
    Ended,
}

/// The end of a credential that two wait for. Both belong to one task, so that one waker serves them.
#[derive(Debug)]
pub(crate) struct CredentialEnd(Mutex<State>);

#[derive(Debug)]
enum State {
    Watched(MonitoredSession),
    Ended(Option<Error>),
}

impl Credential {
    /// Ready once the credential has ended, with the reason. Never ready again after that.
    pub(super) fn poll_error(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        match self {
            Self::Own(watched) => {
                let error = ready!(Pin::new(watched).poll(cx));
                *self = Self::Ended;
                Poll::Ready(error)
            }
            // Stays shared: the connection asks for the end after the body has said it.
            Self::Shared(end) => end.poll_error(cx),
            Self::Ended => Poll::Pending,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        match self {
            Self::Own(_) => false,
            Self::Shared(end) => end.is_reported(),
            Self::Ended => true,
        }
    }

    /// Lets the connection wait for the end, for as long as the body is there.
    pub(super) fn share(&mut self) -> Weak<CredentialEnd> {
        let end = match std::mem::replace(self, Self::Ended) {
            Self::Own(watched) => Arc::new(CredentialEnd(Mutex::new(State::Watched(watched)))),
            Self::Shared(end) => end,
            Self::Ended => return Weak::new(),
        };
        let shared = Arc::downgrade(&end);
        *self = Self::Shared(end);
        shared
    }
}

impl CredentialEnd {
    /// Whether the credential was found to have ended.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(*self.0.lock().unwrap_or_else(PoisonError::into_inner), State::Ended(_))
    }

    /// Whether the body has taken the reason.
    fn is_reported(&self) -> bool {
        matches!(*self.0.lock().unwrap_or_else(PoisonError::into_inner), State::Ended(None))
    }

    /// Ready once the credential has ended.
    pub(crate) fn poll_end(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::Watched(watched) = &mut *state {
            let error = ready!(Pin::new(watched).poll(cx));
            *state = State::Ended(Some(error));
        }
        Poll::Ready(())
    }

    /// Ready once the credential has ended, with the reason; the first time only.
    fn poll_error(&self, cx: &mut Context<'_>) -> Poll<Error> {
        ready!(self.poll_end(cx));
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *state {
            State::Ended(error) => error.take().map_or(Poll::Pending, Poll::Ready),
            State::Watched(_) => Poll::Pending,
        }
    }
}
