//! Runs the groups of cases.

use std::sync::Arc;

use engines_core::{Result, nexus::Backend};

use super::{
    case::{CaseFn, StoreFactory},
    case_loop::CaseLoop,
    fixture::Fixture,
    groups::groups,
    report::{Report, SuiteFailure},
    suite_settings::SuiteSettings,
};

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
    let factory = StoreFactory::new(factory, settings);
    let mut results = CaseLoop::new(patience);
    for (group, cases) in groups() {
        results.begin_group();
        // The cases of one group share a database, and use different scopes.
        let mut shared: Option<Fixture> = None;
        for case in cases {
            if !only.is_empty() && !only.contains(&group) && !only.contains(&case.name) {
                results.skip(case.name, "not selected");
                continue;
            }
            match case.run {
                CaseFn::Factory(run) => {
                    let factory = factory.clone();
                    results.run(case.name, async move { run(&factory).await }).await;
                }
                CaseFn::Store(run) => {
                    if shared.is_none() {
                        let factory = factory.clone();
                        shared = results.attempt(case.name, async move { factory.open(group).await }).await;
                    }
                    let Some(fixture) = shared.clone() else { continue };
                    results.run(case.name, async move { run(&fixture).await }).await;
                    if results.is_hung() {
                        shared = None;
                    }
                }
            }
        }
    }
    results.finish()
}
