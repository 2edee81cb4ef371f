//! Runs the cases and collects their results.

use std::{fmt, sync::Arc, time::Duration};

use engines_core::{Result, nexus::Backend};
use futures_util::future::{BoxFuture, FutureExt};

use super::{
    CaseFailure, CaseOutcome, CaseResult, FailedCase, Fixture, Report, SkippedCase, SuiteFailure, archive, audit,
    backup, batches, cas, changes, documents, events, health, idempotency, isolation, limits, ordering, paging,
    readers, removal, reopen, streams, text,
};

/// Settings of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuiteSettings {
    /// Time limit of one case; a case that exceeds it fails. Default: 60 s.
    pub patience: Duration,
    /// Number of concurrent tasks in cases that race or write, at least 2. Default: 16.
    pub writers: usize,
    /// Number of commits of each task, and of rounds of each race, at least 1. Default: 8.
    pub rounds: usize,
    /// Limits in bytes greater than this are not tested; the report lists them as skipped. Default: 128 MiB.
    pub heavy_bytes: usize,
    /// Runs only these cases (such as `cas::heads_race`) and modules (such as `cas`); the report lists the others as
    /// skipped. Default: empty, which runs all.
    pub only: Vec<&'static str>,
}

impl Default for SuiteSettings {
    fn default() -> Self {
        Self { patience: Duration::from_secs(60), writers: 16, rounds: 8, heavy_bytes: 128 << 20, only: Vec::new() }
    }
}

type OpenFn = dyn Fn(String) -> BoxFuture<'static, Result<Arc<dyn Backend>>> + Send + Sync;

/// Opens databases by name: a database is empty the first time, and has its data when it is opened again.
#[derive(Clone)]
pub struct StoreFactory {
    open: Arc<OpenFn>,
    settings: SuiteSettings,
}

impl StoreFactory {
    /// Wraps a factory function.
    #[must_use]
    pub fn new<F, Fut>(factory: F, settings: SuiteSettings) -> Self
    where
        F: Fn(String) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Arc<dyn Backend>>> + Send + 'static,
    {
        Self { open: Arc::new(move |name| factory(name).boxed()), settings }
    }

    /// Opens the database `name`, which consists of lower-case letters and `_`.
    ///
    /// # Errors
    ///
    /// The error of the factory.
    pub async fn open(&self, name: &str) -> Result<Fixture, CaseFailure> {
        let store = (self.open)(name.to_owned()).await?;
        Ok(Fixture::new(store, self.settings.clone())?)
    }
}

impl fmt::Debug for StoreFactory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// A case and the arguments that it takes.
pub(super) struct Case {
    name: &'static str,
    run: CaseFn,
}

enum CaseFn {
    Store(for<'a> fn(&'a Fixture) -> BoxFuture<'a, CaseResult>),
    Factory(for<'a> fn(&'a StoreFactory) -> BoxFuture<'a, CaseResult>),
}

impl Case {
    pub(super) const fn store(name: &'static str, run: for<'a> fn(&'a Fixture) -> BoxFuture<'a, CaseResult>) -> Self {
        Self { name, run: CaseFn::Store(run) }
    }

    pub(super) const fn factory(
        name: &'static str,
        run: for<'a> fn(&'a StoreFactory) -> BoxFuture<'a, CaseResult>,
    ) -> Self {
        Self { name, run: CaseFn::Factory(run) }
    }
}

/// Runs the whole suite with the default [`SuiteSettings`]. The [module](super) describes what `factory` must do.
///
/// # Errors
///
/// [`SuiteFailure`] lists every case that failed.
pub async fn run<F, Fut>(factory: F) -> Result<Report, SuiteFailure>
where
    F: Fn(String) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Arc<dyn Backend>>> + Send + 'static,
{
    run_with(factory, SuiteSettings::default()).await
}

/// Like [`run`], with settings.
///
/// # Errors
///
/// The errors of [`run`].
pub async fn run_with<F, Fut>(factory: F, settings: SuiteSettings) -> Result<Report, SuiteFailure>
where
    F: Fn(String) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Arc<dyn Backend>>> + Send + 'static,
{
    let patience = settings.patience;
    let only = settings.only.clone();
    let opener = StoreFactory::new(factory, settings);
    let mut report = Report::default();
    let mut failed = Vec::new();
    for (room, cases) in groups() {
        let mut bench = None;
        for case in cases {
            if !only.is_empty() && !only.contains(&room) && !only.contains(&case.name) {
                report.skipped.push(SkippedCase { case: case.name, reason: "not selected".into() });
                continue;
            }
            let verdict = tokio::time::timeout(patience, run_case(&opener, room, &mut bench, &case)).await;
            match verdict.unwrap_or_else(|_| Err(CaseFailure::new("it hangs"))) {
                Ok(CaseOutcome::Passed) => report.passed.push(case.name),
                Ok(CaseOutcome::Skipped(reason)) => report.skipped.push(SkippedCase { case: case.name, reason }),
                Err(failure) => failed.push(FailedCase { case: case.name, failure }),
            }
        }
    }
    if failed.is_empty() { Ok(report) } else { Err(SuiteFailure { failed, report }) }
}

/// Runs a case. The cases of one module share a database, and use different scopes.
async fn run_case(opener: &StoreFactory, room: &str, bench: &mut Option<Fixture>, case: &Case) -> CaseResult {
    match case.run {
        CaseFn::Factory(run) => run(opener).await,
        CaseFn::Store(run) => {
            if bench.is_none() {
                *bench = Some(opener.open(room).await?);
            }
            match bench {
                Some(bench) => run(bench).await,
                None => Err(CaseFailure::new("the database was not opened")),
            }
        }
    }
}

fn groups() -> [(&'static str, Vec<Case>); 19] {
    [
        ("documents", documents::cases()),
        ("text", text::cases()),
        ("batches", batches::cases()),
        ("cas", cas::cases()),
        ("streams", streams::cases()),
        ("idempotency", idempotency::cases()),
        ("events", events::cases()),
        ("audit", audit::cases()),
        ("paging", paging::cases()),
        ("isolation", isolation::cases()),
        ("ordering", ordering::cases()),
        ("readers", readers::cases()),
        ("changes", changes::cases()),
        ("health", health::cases()),
        ("limits", limits::cases()),
        ("removal", removal::cases()),
        ("archive", archive::cases()),
        ("reopen", reopen::cases()),
        ("backup", backup::cases()),
    ]
}
