//! What a check is given, and what it says.

use std::{collections::BTreeMap, sync::Arc};

use engines::storage::SqliteStore;
use futures_util::future::BoxFuture;
use serde::Serialize;

use crate::config::Settings;

/// What is looked over.
pub(super) struct DoctorContext {
    pub(super) settings: Settings,
    pub(super) variables: BTreeMap<String, String>,
    /// The store, opened for reading alone; none when it could not be opened, or nothing is there yet.
    pub(super) store: Option<Arc<SqliteStore>>,
    /// Why the store could not be opened.
    pub(super) open_error: Option<String>,
    /// A server uses it.
    pub(super) in_use: bool,
    /// Everything, not a sample.
    pub(super) deep: bool,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Severity {
    /// As it should be.
    Ok,
    /// Worth knowing.
    Note,
    /// Something is to be done.
    Problem,
}

/// Something a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct DoctorFinding {
    /// How bad it is.
    pub(super) level: Severity,
    /// What was found.
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

/// One thing to look at.
pub(super) trait DoctorCheck: Sync {
    /// Its name, in reports: lower-case words with `_`. It does not change.
    fn name(&self) -> &'static str;

    /// Looks. No finding at all means that there was nothing to look at.
    fn run<'a>(&'a self, subject: &'a DoctorContext) -> BoxFuture<'a, Vec<DoctorFinding>>;
}
