//! The data file.

use engines::{Clock, SystemClock};
use futures_util::future::BoxFuture;

use super::check::{Check, Finding, Subject};

/// How far ahead of the clock a stored time may be, in seconds: several machines' clocks may have written it.
const AHEAD_S: u64 = 60;

/// The data file is whole and of a version this program knows.
pub(super) struct Integrity;

impl Check for Integrity {
    fn name(&self) -> &'static str {
        "integrity"
    }

    fn run<'a>(&'a self, subject: &'a Subject) -> BoxFuture<'a, Vec<Finding>> {
        Box::pin(async move {
            if let Some(detail) = &subject.refused {
                return vec![Finding::problem(detail.clone(), "do what it says; restore a backup of a damaged file")];
            }
            let Some(store) = &subject.store else {
                let path = subject.settings.data.join("engines.db");
                return vec![Finding::note(
                    format!("there is no data file {}", path.display()),
                    "start the server, which makes it",
                )];
            };
            match store.inspect().await {
                Ok(inspection) if inspection.faults.is_empty() => vec![Finding::ok(format!(
                    "the data file is whole: schema {}, read with SQLite {}",
                    inspection.schema, inspection.sqlite
                ))],
                Ok(inspection) => {
                    let advice = "stop the server, keep a copy of the file, and restore a backup";
                    inspection.faults.into_iter().map(|fault| Finding::problem(fault, advice)).collect()
                }
                Err(error) => vec![Finding::problem(
                    format!("the data file cannot be read: {}", error.detail()),
                    "check the disk, and restore a backup",
                )],
            }
        })
    }
}

/// The write-ahead log is small enough.
pub(super) struct Log;

impl Check for Log {
    fn name(&self) -> &'static str {
        "log"
    }

    fn run<'a>(&'a self, subject: &'a Subject) -> BoxFuture<'a, Vec<Finding>> {
        Box::pin(async move {
            let path = subject.settings.data.join("engines.db-wal");
            let Ok(log) = std::fs::metadata(&path) else { return Vec::new() };
            let (bytes, most) = (log.len(), subject.settings.sqlite.log_warn_bytes);
            let detail = format!("the write-ahead log has {} KiB", bytes >> 10);
            vec![match (bytes > most, bytes > 0 && !subject.in_use) {
                (true, _) => Finding::problem(
                    detail,
                    "look for a program that holds the data file open for reading, and end it; then the log begins anew",
                ),
                (false, true) => Finding::note(
                    format!("{detail}, and no server uses it: the last one ended without closing it"),
                    "start the server, which takes it up; never remove it: it holds acknowledged writes",
                ),
                (false, false) => Finding::ok(detail),
            }]
        })
    }
}

/// The clock is not behind what it has already given.
pub(super) struct ClockAgainstData;

impl Check for ClockAgainstData {
    fn name(&self) -> &'static str {
        "clock"
    }

    fn run<'a>(&'a self, subject: &'a Subject) -> BoxFuture<'a, Vec<Finding>> {
        Box::pin(async move {
            let Some(store) = &subject.store else { return Vec::new() };
            let Ok(newest) = store.newest_time().await else { return Vec::new() };
            let now = SystemClock.now();
            let Some(newest) = newest else { return vec![Finding::ok(format!("it is {now}"))] };
            let ahead = newest.since(now).as_secs();
            vec![match ahead > AHEAD_S {
                true => Finding::problem(
                    format!(
                        "it is {now} by this machine's clock, and something was stored at {newest}, {ahead} s later"
                    ),
                    "set the clock by a time service; times that were stored ahead stay as they are, and are passed over where they \
                     say that something has just happened",
                ),
                false => Finding::ok(format!("it is {now}; the newest stored time is {newest}")),
            }]
        })
    }
}
