//! Runs the checks and prints the report.

use std::{collections::BTreeMap, process::ExitCode, sync::Arc};

use engines::storage::{SqliteOptions, SqliteStore};

use super::{
    check::DoctorContext,
    checks::CHECKS,
    report::{CheckResult, DoctorReport},
};
use crate::{
    cli::{
        error::CliError,
        operation_args::DoctorArgs,
        runtime::block_on,
        store_access::DATABASE,
        terminal::{print, print_error},
    },
    config::{self, Settings, StoreKind},
};

/// The exit code when problems were found.
const EXIT_PROBLEMS: u8 = 1;
/// The exit code when the checks could not run.
const EXIT_COULD_NOT_RUN: u8 = 3;

pub(in crate::cli) fn run(args: &DoctorArgs, variables: &BTreeMap<String, String>) -> Result<ExitCode, CliError> {
    let report = build_context(args, variables).and_then(|subject| block_on(async { Ok(run_checks(&subject).await) }));
    match report {
        Ok(report) => {
            print(&if args.json { serde_json::to_string_pretty(&report)? } else { report.text() });
            Ok(if report.problems == 0 { ExitCode::SUCCESS } else { ExitCode::from(EXIT_PROBLEMS) })
        }
        Err(failed) => {
            print_error(&*failed);
            Ok(ExitCode::from(EXIT_COULD_NOT_RUN))
        }
    }
}

fn build_context(args: &DoctorArgs, variables: &BTreeMap<String, String>) -> Result<DoctorContext, CliError> {
    let settings = config::load(&args.at.flags(), variables)?;
    if settings.store == StoreKind::Sqlite && !settings.data.is_dir() {
        return Err(format!("there is no data folder {}; name it with --data", settings.data.display()).into());
    }
    let in_use = SqliteStore::is_in_use(settings.data.join(DATABASE)).unwrap_or(false);
    let (store, refused) = open(&settings);
    Ok(DoctorContext { settings, variables: variables.clone(), store, open_error: refused, in_use, deep: args.deep })
}

/// Opens the store read-only, or returns the reason why that is not possible.
fn open(settings: &Settings) -> (Option<Arc<SqliteStore>>, Option<String>) {
    let path = settings.data.join(DATABASE);
    if settings.store == StoreKind::Memory || !path.exists() {
        return (None, None);
    }
    match SqliteStore::open_beside(path, SqliteOptions::default()) {
        Ok(store) => (Some(Arc::new(store)), None),
        Err(error) => (None, Some(error.detail().to_owned())),
    }
}

async fn run_checks(context: &DoctorContext) -> DoctorReport {
    let mut checks = Vec::new();
    for check in CHECKS {
        checks.push(CheckResult { check: check.name(), findings: check.run(context).await });
    }
    if let Some(store) = &context.store {
        store.close().await;
    }
    DoctorReport::new(context.settings.data.display().to_string(), context.in_use, checks)
}
