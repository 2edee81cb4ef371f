//! From the arguments to a filter over files or pipes.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
    process::ExitCode,
};

use engines::{
    IdGenerator,
    core::pii::{PiiKey, Policy, Scrubber},
};

use super::{
    filter::{Lines, filter},
    report::report,
};
use crate::cli::{FormatArg, RedactArgs, run::Failed};

/// The fewest bytes of a key.
const KEY_BYTES: usize = 16;
/// Bytes of a report's input read at once.
const READ_BYTES: usize = 256 << 10;

pub(crate) fn run(args: &RedactArgs) -> Result<ExitCode, Failed> {
    let scrubber = scrubber(args)?;
    let from: Box<dyn Read> = match args.file.as_deref().filter(|path| *path != Path::new("-")) {
        Some(path) => {
            Box::new(File::open(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?)
        }
        None => Box::new(io::stdin().lock()),
    };
    let to = io::stdout().lock();
    let done = if args.report {
        report(&scrubber, BufReader::with_capacity(READ_BYTES, from), to)
    } else {
        let lines = match args.format {
            FormatArg::Auto => Lines::Auto,
            FormatArg::Text => Lines::Text,
        };
        filter(&scrubber, lines, from, to)
    };
    match done {
        // Whoever reads has seen enough.
        Err(error) if closed(&*error) => Ok(ExitCode::SUCCESS),
        done => done.map(|()| ExitCode::SUCCESS),
    }
}

fn closed(error: &(dyn std::error::Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn scrubber(args: &RedactArgs) -> Result<Scrubber, Failed> {
    let policy = match &args.policy {
        Some(path) => {
            let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
            let text = std::fs::read_to_string(path).map_err(|error| wrong(&error))?;
            serde_json::from_str(&text).map_err(|error| wrong(&error))?
        }
        None => Policy { default: args.mode.into(), ..Policy::default() },
    };
    let key = match &args.key_file {
        Some(path) => {
            let bytes = std::fs::read(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
            let bytes = bytes.trim_ascii_end();
            if bytes.len() < KEY_BYTES {
                return Err(format!("{}: a key has at least {KEY_BYTES} bytes", path.display()).into());
            }
            PiiKey::new(bytes)
        }
        None => PiiKey::new(IdGenerator::from_os()?.bytes::<32>()),
    };
    Ok(Scrubber::builder().policy(policy).key(key).build()?)
}
