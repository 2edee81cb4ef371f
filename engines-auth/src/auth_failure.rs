//! Attempts that were refused, for whoever keeps a record of them.

use std::fmt;

use engines_core::{Code, Error, ErrorKind, Trace};

/// One refused attempt: who, what, why and from where, as far as it is known. Nothing of the credential itself.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct AuthFailure<'a> {
    /// What was attempted: `door.enter`, `accounts.login`.
    pub action: &'static str,
    /// The stable code of the refusal.
    pub code: Code,
    /// The sentence the caller was told.
    pub detail: &'a str,
    /// The verified user, or a keyed hash of the account that was named; none when nobody was.
    pub actor: Option<&'a str>,
    /// The path that was asked for, as it was given, without the query.
    pub path: &'a str,
    /// From where, as it was given.
    pub address: Option<&'a str>,
    /// The request's ids, where it has some.
    pub trace: Option<&'a Trace>,
}

impl<'a> AuthFailure<'a> {
    /// The refusal of `action` with `error`; fill in what else is known. `None` when `error` is no refusal but a malformed
    /// request or a failure of ours.
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

    /// The same attempt by `who`.
    #[must_use]
    pub fn with_actor(self, who: Option<&'a str>) -> Self {
        Self { actor: who, ..self }
    }

    /// The same attempt on `path`.
    #[must_use]
    pub fn with_path(self, path: &'a str) -> Self {
        Self { path, ..self }
    }

    /// The same attempt from `address`, in this request.
    #[must_use]
    pub fn with_origin(self, address: Option<&'a str>, trace: Option<&'a Trace>) -> Self {
        Self { address, trace, ..self }
    }
}

/// Keeps a record of refused attempts. Called on the way of a request, often many times a second by somebody who means harm: it must
/// neither wait nor grow without bound. Writing them to a slow place is for another task, behind a bounded queue.
pub trait AuthFailureSink: Send + Sync + fmt::Debug {
    /// Takes note.
    fn record(&self, attempt: &AuthFailure<'_>);
}
