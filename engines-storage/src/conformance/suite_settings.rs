//! Settings of a run.

use std::time::Duration;

/// Settings of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuiteSettings {
    /// Time limit of one case, and of opening a database. A case that exceeds it fails, and ends its group: the report
    /// lists the group's other cases as skipped. Default: 60 s.
    pub patience: Duration,
    /// Number of concurrent tasks in cases that race or write, at least 2. Default: 16.
    pub writers: usize,
    /// Number of commits of each task, and of rounds of each race, at least 1. Default: 8.
    pub rounds: usize,
    /// Limits in bytes greater than this are not tested; the report lists them as skipped. Default: 128 MiB.
    pub heavy_bytes: usize,
    /// Runs only these cases (such as `compare_and_swap::heads_race`) and modules (such as `compare_and_swap`); the report lists the others as
    /// skipped. Default: empty, which runs all.
    pub only: Vec<&'static str>,
}

impl Default for SuiteSettings {
    fn default() -> Self {
        Self { patience: Duration::from_secs(60), writers: 16, rounds: 8, heavy_bytes: 128 << 20, only: Vec::new() }
    }
}
