//! Refused attempts, and the trait of what records them.

use std::fmt;

use engines_core::{Code, Error, ErrorKind, Trace};

/// A refused attempt: who, what, why and from where, as far as it is known. It holds no part of the credential.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct AuthFailure<'a> {
    /// The operation that was attempted, such as `admission.enter` or `accounts.login`.
    pub action: &'static str,
    /// The code of the refusal.
    pub code: Code,
    /// The detail of the error that the caller got.
    pub detail: &'a str,
    /// The verified user, or a keyed hash of the account that was named. `None` if the attempt named no account.
    pub actor: Option<&'a str>,
    /// The path of the request, as it was sent, without the query.
    pub path: &'a str,
    /// The network address of the caller, as it was given.
    pub address: Option<&'a str>,
    /// The ids of the request, if there are any.
    pub trace: Option<&'a Trace>,
}

impl<'a> AuthFailure<'a> {
    /// The refusal of `action` with `error`. Returns `None` when `error` is no refusal, but a malformed request or a
    /// failure of the service.
    #[must_use]
    pub fn new(action: &'static str, error: &'a Error) -> Option<Self> {
        let refusal =
            matches!(error.kind(), ErrorKind::Unauthenticated | ErrorKind::Forbidden | ErrorKind::RateLimited);
        refusal.then(|| Self {
            action,
            code: error.code(),
            detail: error.detail(),
            actor: None,
            path: "",
            address: None,
            trace: None,
        })
    }

    /// Sets the actor.
    #[must_use]
    pub fn with_actor(self, who: Option<&'a str>) -> Self {
        Self { actor: who, ..self }
    }

    /// Sets the path.
    #[must_use]
    pub fn with_path(self, path: &'a str) -> Self {
        Self { path, ..self }
    }

    /// Sets the address of the caller and the ids of the request.
    #[must_use]
    pub fn with_origin(self, address: Option<&'a str>, trace: Option<&'a Trace>) -> Self {
        Self { address, trace, ..self }
    }
}

/// Records refused attempts.
///
/// It is called while a request is handled, and an attacker can make it called many times a second. It must not wait
/// and must not grow without bound. A sink that writes to a slow place does so in another task, behind a bounded queue.
pub trait AuthFailureSink: Send + Sync + fmt::Debug {
    /// Records an attempt.
    fn record(&self, attempt: &AuthFailure<'_>);
}
