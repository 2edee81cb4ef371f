//! `backup list`.

use std::{collections::BTreeMap, process::ExitCode};

use serde_json::json;

use super::{ListArgs, location, output};
use crate::cli::{error::CliError, runtime::block_on, terminal::print};

pub(super) fn run(args: &ListArgs, variables: &BTreeMap<String, String>) -> Result<ExitCode, CliError> {
    let settings = location::load_settings(args.config.as_ref(), None, variables)?;
    block_on(async {
        let backups = location::open_backups(args.from.as_ref(), &settings)?;
        let found = backups.list().await?;
        if args.json {
            let items: Vec<_> = found
                .iter()
                .map(|(id, manifest)| match manifest {
                    Ok(manifest) => json!(manifest),
                    Err(error) => json!({"id": id, "error": error.detail()}),
                })
                .collect();
            output::print_json(&items)?;
        } else if found.is_empty() {
            print(&format!("there is no backup in {}", backups.describe()));
        } else {
            print(&output::format_table(&found));
        }
        Ok(ExitCode::SUCCESS)
    })
}
