//! Cases, and the factory that opens databases for them.

use std::{fmt, sync::Arc};

use engines_core::{Result, nexus::Backend};
use futures_util::future::{BoxFuture, FutureExt};

use super::{
    fixture::Fixture,
    report::{CaseFailure, CaseResult},
    suite_settings::SuiteSettings,
};

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
        f.debug_struct("StoreFactory").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// A case and the arguments that it takes.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) run: CaseFn,
}

/// The function of a case.
#[derive(Clone, Copy)]
pub(super) enum CaseFn {
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
