//! What is printed.

use serde::Serialize;

use super::check::{Finding, Level};

/// What one check found.
#[derive(Debug, Serialize)]
pub(super) struct Checked {
    pub(super) check: &'static str,
    pub(super) findings: Vec<Finding>,
}

/// What all checks found.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// The version of the program.
    pub(super) version: &'static str,
    /// The data folder.
    pub(super) data: String,
    /// A server uses it.
    pub(super) in_use: bool,
    /// How many problems there are.
    pub(super) problems: usize,
    /// The checks, in order.
    pub(super) checks: Vec<Checked>,
}

impl Report {
    pub(super) fn new(data: String, in_use: bool, checks: Vec<Checked>) -> Self {
        let all = checks.iter().flat_map(|checked| &checked.findings);
        let problems = all.filter(|finding| finding.level == Level::Problem).count();
        Self { version: env!("CARGO_PKG_VERSION"), data, in_use, problems, checks }
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let mut text = format!("engines-server {} · {}", self.version, self.data);
        if self.in_use {
            text.push_str(" · in use by a server");
        }
        for Checked { check, findings } in &self.checks {
            for Finding { level, detail, advice } in findings {
                let mark = match level {
                    Level::Ok => "ok     ",
                    Level::Note => "note   ",
                    Level::Problem => "PROBLEM",
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
