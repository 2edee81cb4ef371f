//! Runs a command of `backup`.

use std::{collections::BTreeMap, process::ExitCode};

use super::{BackupArgs, BackupCommand, create, list, restore, verify};
use crate::cli::error::CliError;

pub(in crate::cli) fn run(args: &BackupArgs, variables: &BTreeMap<String, String>) -> Result<ExitCode, CliError> {
    match &args.command {
        BackupCommand::Create(args) => create::run(args, variables),
        BackupCommand::List(args) => list::run(args, variables),
        BackupCommand::Verify(args) => verify::run(args, variables),
        BackupCommand::Restore(args) => restore::run(args, variables),
    }
}
