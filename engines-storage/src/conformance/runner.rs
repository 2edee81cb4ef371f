//! Runs every case and keeps the books.

use std::{fmt, sync::Arc, time::Duration};

use engines_core::{Result, nexus::Backend};
use futures_util::future::{BoxFuture, FutureExt};

use super::{
    CaseFailure, CaseOutcome, CaseResult, FailedCase, Fixture, Report, SkippedCase, SuiteFailure, archive, audit,
    backup, batches, cas, changes, documents, events, health, idempotency, isolation, limits, ordering, paging,
    readers, removal, reopen, streams, text,
};

/// How hard the suite tries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuiteSettings {
    /// How long one case may take before it counts as hanging. Default 60 s.
    pub patience: Duration,
    /// Tasks that race or write at once, at least 2. Default 16.
    pub writers: usize,
    /// Commits of each task, and rounds of each race, at least 1. Default 8.
    pub rounds: usize,
    /// Limits of bytes above this are not tried out, and the report says so. Default 128 MiB.
    pub heavy_bytes: usize,
    /// Run only these cases (`cas::heads_race`) and rooms (`cas`), to look into one; the report lists the others as left out. Empty, the
    /// default, for all.
    pub only: Vec<&'static str>,
}

impl Default for SuiteSettings {
    fn default() -> Self {
        Self { patience: Duration::from_secs(60), writers: 16, rounds: 8, heavy_bytes: 128 << 20, only: Vec::new() }
    }
}

type OpenFn = dyn Fn(String) -> BoxFuture<'static, Result<Arc<dyn Backend>>> + Send + Sync;

/// Opens databases by name: empty the first time, then with what they hold.
#[derive(Clone)]
pub struct StoreFactory {
    open: Arc<OpenFn>,
    settings: SuiteSettings,
}

impl StoreFactory {
    /// Wraps a factory.
    #[must_use]
    pub fn new<F, Fut>(factory: F, settings: SuiteSettings) -> Self
    where
        F: Fn(String) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Arc<dyn Backend>>> + Send + 'static,
    {
        Self { open: Arc::new(move |name| factory(name).boxed()), settings }
    }

    /// Opens the database `name` (lower-case letters and `_`).
    ///
    /// # Errors
    /// What the factory says.
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

/// One case, and what it needs.
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

/// Runs the whole suite with the default [`Settings`]; see the [module](super) for what `factory` does.
///
/// # Errors
/// [`SuiteFailure`]: every case that failed.
pub async fn run<F, Fut>(factory: F) -> Result<Report, SuiteFailure>
where
    F: Fn(String) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Arc<dyn Backend>>> + Send + 'static,
{
    run_with(factory, SuiteSettings::default()).await
}

/// As [`run`], with settings.
///
/// # Errors
/// As [`run`].
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
                report.skipped.push(SkippedCase { case: case.name, reason: "not asked for".into() });
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

/// Cases of one room share a database, each in scopes of its own.
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
