//! Results of cases and of a run.

use std::{error::Error as StdError, fmt, panic::Location};

use engines_core::nexus::CommitError;

/// The result of a case.
pub type CaseResult = Result<CaseOutcome, CaseFailure>;

/// The outcome of a case that did not fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaseOutcome {
    /// The backend implements this part of the contract.
    Passed,
    /// The case was not run, for this reason: usually a capability that the backend does not promise.
    Skipped(String),
}

/// Why a case failed, with the location in the suite.
#[derive(Clone)]
pub struct CaseFailure {
    detail: String,
    location: &'static Location<'static>,
}

impl CaseFailure {
    /// Creates a failure at the caller's location.
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
        Self::new(format!("unexpected error of a commit: {error:?}"))
    }
}

/// Fails unless `holds`.
#[track_caller]
pub(super) fn ensure(holds: bool, detail: impl FnOnce() -> String) -> Result<(), CaseFailure> {
    if holds { Ok(()) } else { Err(CaseFailure::new(detail())) }
}

/// Fails unless the two values are equal.
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

/// A case that was skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedCase {
    /// The case's name.
    pub case: &'static str,
    /// Why the case was skipped.
    pub reason: String,
}

/// The result of a run without failures.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The names of the cases that passed, in order.
    pub passed: Vec<&'static str>,
    /// The cases that were skipped.
    pub skipped: Vec<SkippedCase>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cases passed, {} skipped", self.passed.len(), self.skipped.len())?;
        self.skipped.iter().try_for_each(|SkippedCase { case, reason }| write!(f, "\n  skipped {case}: {reason}"))
    }
}

/// A case that failed.
#[derive(Debug, Clone)]
pub struct FailedCase {
    /// The case's name.
    pub case: &'static str,
    /// Why the case failed, and where in the suite.
    pub failure: CaseFailure,
}

/// The error of a run: every case that failed, and the report of the others.
#[derive(Clone)]
pub struct SuiteFailure {
    /// The failed cases, in order.
    pub failed: Vec<FailedCase>,
    /// The report of the other cases.
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
    /// Formats like `Display`, so that `unwrap` in a test prints readable text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for SuiteFailure {}
