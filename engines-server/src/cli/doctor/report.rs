//! The report of all checks.

use serde::Serialize;

use super::check::{DoctorFinding, Severity};

/// The findings of one check.
#[derive(Debug, Serialize)]
pub(super) struct CheckResult {
    pub(super) check: &'static str,
    pub(super) findings: Vec<DoctorFinding>,
}

/// The findings of all checks.
#[derive(Debug, Serialize)]
pub(super) struct DoctorReport {
    /// The version of the program.
    pub(super) version: &'static str,
    /// The path of the data folder.
    pub(super) data: String,
    /// Whether a server uses the data.
    pub(super) in_use: bool,
    /// The number of problems.
    pub(super) problems: usize,
    /// The checks, in order.
    pub(super) checks: Vec<CheckResult>,
}

impl DoctorReport {
    pub(super) fn new(data: String, in_use: bool, checks: Vec<CheckResult>) -> Self {
        let all = checks.iter().flat_map(|checked| &checked.findings);
        let problems = all.filter(|finding| finding.level == Severity::Problem).count();
        Self { version: env!("CARGO_PKG_VERSION"), data, in_use, problems, checks }
    }

    /// Formats the report for people.
    pub(super) fn text(&self) -> String {
        let mut text = format!("engines-server {} · {}", self.version, self.data);
        if self.in_use {
            text.push_str(" · in use by a server");
        }
        for CheckResult { check, findings } in &self.checks {
            for DoctorFinding { level, detail, advice } in findings {
                let mark = match level {
                    Severity::Ok => "ok     ",
                    Severity::Note => "note   ",
                    Severity::Problem => "PROBLEM",
                };
                text.push_str(&format!("\n{mark} {check}: {detail}"));
                if let Some(advice) = advice {
                    text.push_str(&format!("\n        → {advice}"));
                }
            }
        }
        text.push_str(&match self.problems {
            0 => "\nno problems".to_owned(),
            1 => "\n1 problem".to_owned(),
            more => format!("\n{more} problems"),
        });
        text
    }
}
