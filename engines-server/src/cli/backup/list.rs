//! `backup list`.

use std::{collections::BTreeMap, process::ExitCode};

use serde_json::json;

use super::{ListArgs, place, show};
use crate::cli::run::{Failed, say};

pub(super) fn run(args: &ListArgs, variables: &BTreeMap<String, String>) -> Result<ExitCode, Failed> {
    let settings = place::settings(args.config.as_ref(), None, variables)?;
    place::block_on(async {
        let backups = place::backups(args.from.as_ref(), &settings)?;
        let found = backups.list().await?;
        if args.json {
            let items: Vec<_> = found
                .iter()
                .map(|(id, manifest)| match manifest {
                    Ok(manifest) => json!(manifest),
                    Err(error) => json!({"id": id, "error": error.detail()}),
                })
                .collect();
            show::json(&items)?;
        } else if found.is_empty() {
            say(&format!("there is no backup in {}", backups.describe()));
        } else {
            say(&show::table(&found));
        }
        Ok(ExitCode::SUCCESS)
    })
}
