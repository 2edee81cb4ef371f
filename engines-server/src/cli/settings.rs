//! `settings`: prints all settings with comments and defaults.

use std::process::ExitCode;

use super::{error::CliError, operation_args::SettingsArgs, terminal::print};
use crate::config;

pub(super) fn run(args: &SettingsArgs) -> Result<ExitCode, CliError> {
    let text = if args.markdown { config::to_markdown()? } else { config::to_toml()? };
    print(text.trim_end());
    Ok(ExitCode::SUCCESS)
}
