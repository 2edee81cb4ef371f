//! The end of a stream's credential, for the stream's body and for the connection that sends it.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError, Weak},
    task::{Context, Poll, ready},
};

use engines::{Error, auth::MonitoredSession};

/// The state of a body's credential.
pub(super) enum Credential {
    /// Only the body waits for the end.
    Own(MonitoredSession),
    /// The connection waits for the end as well, because it may stop polling the body.
    Shared(Arc<CredentialEnd>),
    /// It has ended, and the body has sent the reason.
    Ended,
}

/// The end of a credential for which both a body and a connection wait. Both belong to one task, so one waker is
/// enough.
#[derive(Debug)]
pub(crate) struct CredentialEnd(Mutex<CredentialState>);

#[derive(Debug)]
enum CredentialState {
    Watched(MonitoredSession),
    Ended(Option<Error>),
}

impl Credential {
    /// Becomes ready once the credential has ended, with the reason. It becomes ready only once.
    pub(super) fn poll_error(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        match self {
            Self::Own(watched) => {
                let error = ready!(Pin::new(watched).poll(cx));
                *self = Self::Ended;
                Poll::Ready(error)
            }
            // It stays shared, because the connection asks for the end after the body has sent the reason.
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

    /// Lets the connection wait for the end while the body exists.
    pub(super) fn share(&mut self) -> Weak<CredentialEnd> {
        let end = match std::mem::replace(self, Self::Ended) {
            Self::Own(watched) => Arc::new(CredentialEnd(Mutex::new(CredentialState::Watched(watched)))),
            Self::Shared(end) => end,
            Self::Ended => return Weak::new(),
        };
        let shared = Arc::downgrade(&end);
        *self = Self::Shared(end);
        shared
    }
}

impl CredentialEnd {
    /// Returns whether the credential was found to have ended.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(*self.0.lock().unwrap_or_else(PoisonError::into_inner), CredentialState::Ended(_))
    }

    /// Returns whether the body has taken the reason.
    fn is_reported(&self) -> bool {
        matches!(*self.0.lock().unwrap_or_else(PoisonError::into_inner), CredentialState::Ended(None))
    }

    /// Becomes ready once the credential has ended.
    pub(crate) fn poll_end(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let CredentialState::Watched(watched) = &mut *state {
            let error = ready!(Pin::new(watched).poll(cx));
            *state = CredentialState::Ended(Some(error));
        }
        Poll::Ready(())
    }

    /// Becomes ready once the credential has ended, with the reason. It becomes ready only once.
    fn poll_error(&self, cx: &mut Context<'_>) -> Poll<Error> {
        ready!(self.poll_end(cx));
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *state {
            CredentialState::Ended(error) => error.take().map_or(Poll::Pending, Poll::Ready),
            CredentialState::Watched(_) => Poll::Pending,
        }
    }
}
