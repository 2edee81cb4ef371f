//! What a case says of a backend.

use std::{error::Error as StdError, fmt, panic::Location};

use engines_core::nexus::CommitError;

/// What a case ends with.
pub type CaseResult = Result<CaseOutcome, CaseFailure>;

/// How a case ended that did not fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaseOutcome {
    /// The backend keeps this part of the contract.
    Passed,
    /// The backend's capabilities do not promise it; here is which one.
    Skipped(String),
}

/// Why a case failed.
#[derive(Clone)]
pub struct CaseFailure {
    detail: String,
    location: &'static Location<'static>,
}

impl CaseFailure {
    /// A failure found here.
    #[must_use]
    #[track_caller]
    pub fn new(detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), location: Location::caller() }
    }
}

impl fmt::Display for CaseFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}:{})", self.detail, self.location.file(), self.location.line())
    }
}

impl fmt::Debug for CaseFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for CaseFailure {}

impl From<engines_core::Error> for CaseFailure {
    #[track_caller]
    fn from(error: engines_core::Error) -> Self {
        Self::new(format!("unexpected error: {error:?}"))
    }
}

impl From<CommitError> for CaseFailure {
    #[track_caller]
    fn from(error: CommitError) -> Self {
        Self::new(format!("unexpected answer of commit: {error:?}"))
    }
}

/// Fails unless `holds`.
#[track_caller]
pub(super) fn ensure(holds: bool, detail: impl FnOnce() -> String) -> Result<(), CaseFailure> {
    if holds { Ok(()) } else { Err(CaseFailure::new(detail())) }
}

/// Fails unless the two are equal.
#[track_caller]
pub(super) fn ensure_equal<T: PartialEq<U> + fmt::Debug, U: fmt::Debug>(
    what: &str,
    found: &T,
    wanted: &U,
) -> Result<(), CaseFailure> {
    ensure(found == wanted, || {
        let clip = |text: String| text.chars().take(2000).collect::<String>();
        format!("{what}: found {}, wanted {}", clip(format!("{found:?}")), clip(format!("{wanted:?}")))
    })
}

/// A case that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedCase {
    /// Its name.
    pub case: &'static str,
    /// Which capability does not promise it.
    pub reason: String,
}

/// What a run found when nothing failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The cases that passed, in order.
    pub passed: Vec<&'static str>,
    /// The cases that were left out, and why.
    pub skipped: Vec<SkippedCase>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cases passed, {} left out", self.passed.len(), self.skipped.len())?;
        self.skipped.iter().try_for_each(|SkippedCase { case, reason }| write!(f, "\n  left out {case}: {reason}"))
    }
}

/// A case that failed.
#[derive(Debug, Clone)]
pub struct FailedCase {
    /// Its name.
    pub case: &'static str,
    /// Why, and where in the suite.
    pub failure: CaseFailure,
}

/// Every case that failed, and the report of the others.
#[derive(Clone)]
pub struct SuiteFailure {
    /// The failed cases, in order.
    pub failed: Vec<FailedCase>,
    /// The others.
    pub report: Report,
}

impl fmt::Display for SuiteFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cases failed", self.failed.len())?;
        self.failed.iter().try_for_each(|FailedCase { case, failure }| write!(f, "\n  failed {case}: {failure}"))?;
        write!(f, "\n{}", self.report)
    }
}

impl fmt::Debug for SuiteFailure {
    /// As text, so that `unwrap` in a test prints something one can read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for SuiteFailure {}
