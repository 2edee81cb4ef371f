//! What a case says of a backend.

use std::{error::Error as StdError, fmt, panic::Location};

use engines_core::nexus::CommitError;

/// What a case ends with.
pub type Verdict = Result<Outcome, Failure>;

/// How a case ended that did not fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The backend keeps this part of the contract.
    Passed,
    /// The backend's capabilities do not promise it; here is which one.
    LeftOut(String),
}

/// Why a case failed.
#[derive(Clone)]
pub struct Failure {
    detail: String,
    at: &'static Location<'static>,
}

impl Failure {
    /// A failure found here.
    #[must_use]
    #[track_caller]
    pub fn new(detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), at: Location::caller() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}:{})", self.detail, self.at.file(), self.at.line())
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for Failure {}

impl From<engines_core::Error> for Failure {
    #[track_caller]
    fn from(error: engines_core::Error) -> Self {
        Self::new(format!("unexpected error: {error:?}"))
    }
}

impl From<CommitError> for Failure {
    #[track_caller]
    fn from(error: CommitError) -> Self {
        Self::new(format!("unexpected answer of commit: {error:?}"))
    }
}

/// Fails unless `holds`.
#[track_caller]
pub(super) fn ensure(holds: bool, detail: impl FnOnce() -> String) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(Failure::new(detail())) }
}

/// Fails unless the two are equal.
#[track_caller]
pub(super) fn same<T: PartialEq<U> + fmt::Debug, U: fmt::Debug>(
    what: &str,
    found: &T,
    wanted: &U,
) -> Result<(), Failure> {
    ensure(found == wanted, || {
        let clip = |text: String| text.chars().take(2000).collect::<String>();
        format!("{what}: found {}, wanted {}", clip(format!("{found:?}")), clip(format!("{wanted:?}")))
    })
}

/// A case that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
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
    pub left_out: Vec<LeftOut>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cases passed, {} left out", self.passed.len(), self.left_out.len())?;
        self.left_out.iter().try_for_each(|LeftOut { case, reason }| write!(f, "\n  left out {case}: {reason}"))
    }
}

/// A case that failed.
#[derive(Debug, Clone)]
pub struct Failed {
    /// Its name.
    pub case: &'static str,
    /// Why, and where in the suite.
    pub failure: Failure,
}

/// Every case that failed, and the report of the others.
#[derive(Clone)]
pub struct Failures {
    /// The failed cases, in order.
    pub failed: Vec<Failed>,
    /// The others.
    pub report: Report,
}

impl fmt::Display for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cases failed", self.failed.len())?;
        self.failed.iter().try_for_each(|Failed { case, failure }| write!(f, "\n  failed {case}: {failure}"))?;
        write!(f, "\n{}", self.report)
    }
}

impl fmt::Debug for Failures {
    /// As text, so that `unwrap` in a test prints something one can read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for Failures {}
