//! `settings`: prints all settings with comments and defaults.

use std::process::ExitCode;

use super::{
    operation_args::SettingsArgs,
    run::{Failed, say},
};
use crate::config;

pub(super) fn run(args: &SettingsArgs) -> Result<ExitCode, Failed> {
    let text = if args.markdown { config::to_markdown()? } else { config::to_toml()? };
    say(text.trim_end());
    Ok(ExitCode::SUCCESS)
}
