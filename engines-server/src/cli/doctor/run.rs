//! Runs the checks.

use std::{collections::BTreeMap, process::ExitCode, sync::Arc};

use engines::storage::{SqliteOptions, SqliteStore};

use super::{
    check::Subject,
    checks::CHECKS,
    report::{Checked, Report},
};
use crate::{
    cli::{
        operation_args::DoctorArgs,
        run::{Failed, complain, say},
        serve::block_on,
        store_access::DATABASE,
    },
    config::{self, Settings, StoreKind},
};

/// Problems were found.
const PROBLEMS: u8 = 1;
/// The checks could not be run.
const COULD_NOT_RUN: u8 = 3;

pub(in crate::cli) fn run(args: &DoctorArgs, variables: &BTreeMap<String, String>) -> Result<ExitCode, Failed> {
    let report = subject(args, variables).and_then(|subject| block_on(async { Ok(look(&subject).await) }));
    match report {
        Ok(report) => {
            say(&if args.json { serde_json::to_string_pretty(&report)? } else { report.text() });
            Ok(if report.problems == 0 { ExitCode::SUCCESS } else { ExitCode::from(PROBLEMS) })
        }
        Err(failed) => {
            complain(&*failed);
            Ok(ExitCode::from(COULD_NOT_RUN))
        }
    }
}

fn subject(args: &DoctorArgs, variables: &BTreeMap<String, String>) -> Result<Subject, Failed> {
    let settings = config::load(&args.at.flags(), variables)?;
    if settings.store == StoreKind::Sqlite && !settings.data.is_dir() {
        return Err(format!("there is no data folder {}; name it with --data", settings.data.display()).into());
    }
    let in_use = SqliteStore::is_in_use(settings.data.join(DATABASE)).unwrap_or(false);
    let (store, refused) = open(&settings);
    Ok(Subject { settings, variables: variables.clone(), store, refused, in_use, deep: args.deep })
}

/// The store, opened for reading alone, or why it cannot be.
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

async fn look(subject: &Subject) -> Report {
    let mut checks = Vec::new();
    for check in CHECKS {
        checks.push(Checked { check: check.name(), findings: check.run(subject).await });
    }
    if let Some(store) = &subject.store {
        store.close().await;
    }
    Report::new(subject.settings.data.display().to_string(), subject.in_use, checks)
}
