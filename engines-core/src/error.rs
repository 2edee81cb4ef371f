//! The error type of all services: a stable code, the operation that failed, and what to do about it.
//!
//! An error does not depend on domain types. Data that a client needs beyond the text (a head revision, an op index) is
//! attached as named JSON members, which the HTTP layer copies into the problem document.

use std::{borrow::Cow, error::Error as StdError, fmt, time::Duration};

use serde_json::{Map, Value};

use crate::code::{Code, ErrorKind};

/// The result of a fallible call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error with a code to match on, an operation and a text for the caller.
///
/// The text never contains content of a tenant, a credential or personal data, because it is written to logs.
///
/// ```
/// use engines_core::{Code, Error, ErrorKind};
/// let error = Error::new(Code::RevMismatch, "canvas.command", "the head has moved on; re-read and retry")
///     .with_member("head_rev", 42);
/// assert_eq!(error.kind(), ErrorKind::Conflict);
/// assert_eq!(error.member("head_rev"), Some(&42.into()));
/// ```
pub struct Error(Box<ErrorFields>);

struct ErrorFields {
    code: Code,
    operation: &'static str,
    detail: Cow<'static, str>,
    members: Map<String, Value>,
    retry_after: Option<Duration>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// Makes an error of `code`, raised by `operation` (`canvas.command`, `sqlite.commit`), with a sentence for the
    /// caller.
    #[must_use]
    pub fn new(code: Code, operation: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(ErrorFields {
            code,
            operation,
            detail: detail.into(),
            members: Map::new(),
            retry_after: None,
            source: None,
        }))
    }

    /// A malformed body or parameter; `field` is a JSON pointer or a parameter's name.
    #[must_use]
    pub fn invalid_body(operation: &'static str, field: &str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::BodyInvalid, operation, detail).with_member("field", field)
    }

    /// An object that does not exist for this caller.
    #[must_use]
    pub fn not_found(operation: &'static str, what: &'static str) -> Self {
        Self::new(Code::NotFound, operation, format!("there is no such {what} in this tenant and environment"))
    }

    /// A backend failed or does not answer. The source is kept for logs and not shown to callers. The error does not
    /// say whether something was stored: raise it only where nothing can have been stored, and
    /// [`Error::outcome_unknown`] otherwise.
    #[must_use]
    pub fn unavailable(operation: &'static str, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Code::BackendUnavailable, operation, "a backend failed or does not answer; retry later")
            .with_source(source)
            .with_retry_after(Duration::from_secs(1))
    }

    /// `OUTCOME_UNKNOWN`: a backend failed while it stored something, so that it is not known whether it is stored. The
    /// source is kept for logs and not shown to callers.
    #[must_use]
    pub fn outcome_unknown(operation: &'static str, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        const DETAIL: &str = "the backend failed while it stored this, so whether it was stored is not known; retry with the same \
                              idempotency key, or look before you send it again";
        Self::new(Code::OutcomeUnknown, operation, DETAIL).with_source(source).with_retry_after(Duration::from_secs(1))
    }

    /// A defect or an unexpected state of the server. The source is kept for logs and not shown to callers.
    #[must_use]
    pub fn internal(operation: &'static str, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Code::Internal, operation, "an unexpected error; it has been logged").with_source(source)
    }

    /// Adds a member for clients, such as `head_rev`.
    #[must_use]
    pub fn with_member(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.members.insert(name.to_owned(), value.into());
        self
    }

    /// Attaches the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Sets the time after which a retry makes sense.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The kind of its code.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.code.kind()
    }

    /// The operation that failed.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// The sentence for the caller.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// The named members for clients.
    #[must_use]
    pub fn members(&self) -> &Map<String, Value> {
        &self.0.members
    }

    /// One named member.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Value> {
        self.0.members.get(name)
    }

    /// The time after which a retry makes sense, if one does.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.0.operation, self.0.detail, self.0.code)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("code", &self.0.code)
            .field("operation", &self.0.operation)
            .field("detail", &self.0.detail)
            .field("source", &self.0.source)
            .finish_non_exhaustive()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_ref().map(|source| &**source as _)
    }
}
