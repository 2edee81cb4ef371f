//! Checks of the data file.

use engines::{Clock, SystemClock};
use futures_util::future::BoxFuture;

use super::check::{DoctorCheck, DoctorContext, DoctorFinding};

/// How far a stored time may be ahead of the clock, in seconds. The clocks of several machines may have written it.
const MAX_CLOCK_AHEAD_S: u64 = 60;

/// Checks that the data file is intact and of a version that this program supports.
pub(super) struct IntegrityCheck;

impl DoctorCheck for IntegrityCheck {
    fn name(&self) -> &'static str {
        "integrity"
    }

    fn run<'a>(&'a self, context: &'a DoctorContext) -> BoxFuture<'a, Vec<DoctorFinding>> {
        Box::pin(async move {
            if let Some(detail) = &context.open_error {
                return vec![DoctorFinding::problem(
                    detail.clone(),
                    "follow the advice in the error; if the file is damaged, restore a backup",
                )];
            }
            let Some(store) = &context.store else {
                let path = context.settings.data.join("engines.db");
                return vec![DoctorFinding::note(
                    format!("there is no data file {}", path.display()),
                    "start the server, which creates it",
                )];
            };
            match store.inspect().await {
                Ok(inspection) if inspection.faults.is_empty() => vec![DoctorFinding::ok(format!(
                    "the data file is intact: schema {}, read with SQLite {}",
                    inspection.schema, inspection.sqlite
                ))],
                Ok(inspection) => {
                    let advice = "stop the server, keep a copy of the file, and restore a backup";
                    inspection.faults.into_iter().map(|fault| DoctorFinding::problem(fault, advice)).collect()
                }
                Err(error) => vec![DoctorFinding::problem(
                    format!("the data file cannot be read: {}", error.detail()),
                    "check the disk, and restore a backup",
                )],
            }
        })
    }
}

/// Checks the size of the write-ahead log.
pub(super) struct WalSizeCheck;

impl DoctorCheck for WalSizeCheck {
    fn name(&self) -> &'static str {
        "log"
    }

    fn run<'a>(&'a self, context: &'a DoctorContext) -> BoxFuture<'a, Vec<DoctorFinding>> {
        Box::pin(async move {
            let path = context.settings.data.join("engines.db-wal");
            let Ok(log) = std::fs::metadata(&path) else { return Vec::new() };
            let (bytes, most) = (log.len(), context.settings.sqlite.log_warn_bytes);
            let detail = format!("the write-ahead log has {} KiB", bytes >> 10);
            vec![match (bytes > most, bytes > 0 && !context.in_use) {
                (true, _) => DoctorFinding::problem(
                    detail,
                    "find the program that holds the data file open for reading, and end it; the log then restarts",
                ),
                (false, true) => DoctorFinding::note(
                    format!("{detail}, and no server uses it: the last one ended without closing it"),
                    "start the server, which recovers it; do not remove it, because it contains acknowledged writes",
                ),
                (false, false) => DoctorFinding::ok(detail),
            }]
        })
    }
}

/// Checks that the clock is not behind times that are already stored.
pub(super) struct ClockCheck;

impl DoctorCheck for ClockCheck {
    fn name(&self) -> &'static str {
        "clock"
    }

    fn run<'a>(&'a self, context: &'a DoctorContext) -> BoxFuture<'a, Vec<DoctorFinding>> {
        Box::pin(async move {
            let Some(store) = &context.store else { return Vec::new() };
            let Ok(newest) = store.newest_time().await else { return Vec::new() };
            let now = SystemClock.now();
            let Some(newest) = newest else { return vec![DoctorFinding::ok(format!("it is {now}"))] };
            let ahead = newest.since(now).as_secs();
            vec![match ahead > MAX_CLOCK_AHEAD_S {
                true => DoctorFinding::problem(
                    format!(
                        "it is {now} by this machine's clock, and something was stored at {newest}, {ahead} s later"
                    ),
                    "set the clock by a time service; times that were stored ahead stay as they are, and are passed over where they \
                     say that something has just happened",
                ),
                false => DoctorFinding::ok(format!("it is {now}; the newest stored time is {newest}")),
            }]
        })
    }
}
