//! Runs a command and prints its error.

use std::{collections::BTreeMap, process::ExitCode};

use clap::Parser;

use super::{
    Args, Command, backup, dev, doctor, migrate, redact, serve, settings, tenant, terminal::print_error, token,
};

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let args = Args::parse();
    // Only the owner may read files that this program creates: data, the database's logs, copies, keys.
    #[cfg(unix)]
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    // A variable that is not UTF-8 is not one of this program's.
    let variables: BTreeMap<_, _> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let done = match args.command {
        Command::Dev(args) => dev::run(&args, &variables),
        Command::Serve(args) => serve::run(&args, &variables),
        Command::Token(args) => token::run(&args, &variables),
        Command::Redact(args) => redact::run(&args),
        Command::Tenant(command) => tenant::run(&command, &variables),
        Command::Migrate(args) => migrate::run(&args, &variables),
        Command::Doctor(args) => doctor::run(&args, &variables),
        Command::Settings(args) => settings::run(&args),
        Command::Backup(args) => backup::run(&args, &variables),
    };
    match done {
        Ok(code) => code,
        Err(failed) => {
            print_error(&*failed);
            ExitCode::FAILURE
        }
    }
}
