//! The input and the findings of a check.

use std::{collections::BTreeMap, sync::Arc};

use engines::storage::SqliteStore;
use futures_util::future::BoxFuture;
use serde::Serialize;

use crate::config::Settings;

/// The input of a check.
pub(super) struct DoctorContext {
    pub(super) settings: Settings,
    pub(super) variables: BTreeMap<String, String>,
    /// The store, opened read-only. `None` when it could not be opened, or there are no data yet.
    pub(super) store: Option<Arc<SqliteStore>>,
    /// The reason why the store could not be opened.
    pub(super) open_error: Option<String>,
    /// Whether a server uses the store.
    pub(super) in_use: bool,
    /// Whether all data are checked, not a sample.
    pub(super) deep: bool,
}

/// The severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Severity {
    /// The state is as it should be.
    Ok,
    /// The finding needs no action.
    Note,
    /// The finding needs action.
    Problem,
}

/// A finding of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct DoctorFinding {
    /// The severity.
    pub(super) level: Severity,
    /// What the check found.
    pub(super) detail: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) advice: Option<String>,
}

impl DoctorFinding {
    pub(super) fn ok(detail: impl Into<String>) -> Self {
        Self { level: Severity::Ok, detail: detail.into(), advice: None }
    }

    pub(super) fn note(detail: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { level: Severity::Note, detail: detail.into(), advice: Some(advice.into()) }
    }

    pub(super) fn problem(detail: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { level: Severity::Problem, detail: detail.into(), advice: Some(advice.into()) }
    }
}

/// A check of the deployment.
pub(super) trait DoctorCheck: Sync {
    /// Returns the name of the check in reports: lower-case words with `_`. It does not change between versions.
    fn name(&self) -> &'static str;

    /// Runs the check. It returns no finding when there was nothing to check.
    fn run<'a>(&'a self, subject: &'a DoctorContext) -> BoxFuture<'a, Vec<DoctorFinding>>;
}
