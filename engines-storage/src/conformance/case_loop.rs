//! Runs cases under a time limit and collects their results.

use std::time::Duration;

use tokio::time::timeout;

use super::report::{CaseFailure, CaseOutcome, CaseResult, FailedCase, Report, SkippedCase, SuiteFailure};

/// The results of a run. After a case that hangs, the other cases of its group are skipped: they would use the same
/// database, and each would take the whole time limit.
pub(super) struct CaseLoop {
    patience: Duration,
    /// The case of the current group that hung.
    hung: Option<&'static str>,
    report: Report,
    failed: Vec<FailedCase>,
}

impl CaseLoop {
    /// Makes a loop whose cases may each take `patience`.
    pub(super) fn new(patience: Duration) -> Self {
        Self { patience, hung: None, report: Report::default(), failed: Vec::new() }
    }

    /// Begins the next group of cases.
    pub(super) fn begin_group(&mut self) {
        self.hung = None;
    }

    /// Whether a case of the current group hung.
    pub(super) fn is_hung(&self) -> bool {
        self.hung.is_some()
    }

    /// Lists a case as skipped.
    pub(super) fn skip(&mut self, case: &'static str, reason: impl Into<String>) {
        self.report.skipped.push(SkippedCase { case, reason: reason.into() });
    }

    /// Runs a case, and records its result.
    pub(super) async fn run(&mut self, case: &'static str, work: impl Future<Output = CaseResult> + Send + 'static) {
        match self.attempt(case, work).await {
            Some(CaseOutcome::Passed) => self.report.passed.push(case),
            Some(CaseOutcome::Skipped(reason)) => self.skip(case, reason),
            None => {}
        }
    }

    /// Runs a part of a case in a task of its own, and returns what it makes. If it fails or hangs, the case is recorded
    /// as failed. On a runtime with several threads, a part that blocks its thread is ended too.
    pub(super) async fn attempt<T: Send + 'static>(
        &mut self,
        case: &'static str,
        work: impl Future<Output = Result<T, CaseFailure>> + Send + 'static,
    ) -> Option<T> {
        if let Some(hung) = self.hung {
            self.skip(case, format!("{hung} hangs, and the cases of its group use the same database"));
            return None;
        }
        let mut task = tokio::spawn(work);
        let failure = match timeout(self.patience, &mut task).await {
            Ok(Ok(Ok(made))) => return Some(made),
            Ok(Ok(Err(failure))) => failure,
            Ok(Err(error)) => CaseFailure::new(format!("the case ended early: {error}")),
            Err(_) => {
                task.abort();
                self.hung = Some(case);
                CaseFailure::new(format!("it hangs: it took longer than {:?}", self.patience))
            }
        };
        self.failed.push(FailedCase { case, failure });
        None
    }

    /// Returns the report, or the failures with it.
    pub(super) fn finish(self) -> Result<Report, SuiteFailure> {
        let Self { report, failed, .. } = self;
        if failed.is_empty() { Ok(report) } else { Err(SuiteFailure { failed, report }) }
    }
}
