//! Builds a filter from the arguments, and runs it over a file or a pipe.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
    process::ExitCode,
};

use engines::{
    IdGenerator, TenantId,
    core::pii::{PiiKey, Policy, PolicyError, Scrubber, Vault},
};

use super::{
    filter::{LineFormat, filter},
    report::report,
    unseal::unseal,
};
use crate::cli::{FormatArg, RedactArgs, error::CliError};

/// The smallest size of a key, in bytes.
const KEY_BYTES: usize = 16;
/// Bytes of one read of a report's input.
const READ_BYTES: usize = 256 << 10;

pub(crate) fn run(args: &RedactArgs) -> Result<ExitCode, CliError> {
    let key = args.key_file.as_deref().map(|path| read_key(path, args.tenant.as_deref())).transpose()?;
    let from: Box<dyn Read> = match args.file.as_deref().filter(|path| *path != Path::new("-")) {
        Some(path) => {
            Box::new(File::open(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?)
        }
        None => Box::new(io::stdin().lock()),
    };
    let to = io::stdout().lock();
    let done = if let (true, Some(key)) = (args.open, &key) {
        unseal(&Vault::new(key.clone()), args.format, BufReader::with_capacity(READ_BYTES, from), to)
    } else if args.report {
        report(&build_scrubber(args, key)?, BufReader::with_capacity(READ_BYTES, from), to)
    } else {
        let lines = match args.format {
            FormatArg::Auto => LineFormat::Auto,
            FormatArg::Text => LineFormat::Text,
        };
        filter(&build_scrubber(args, key)?, lines, from, to)
    };
    match done {
        // The reader of the pipe has closed it, as `head` does.
        Err(error) if is_broken_pipe(&*error) => Ok(ExitCode::SUCCESS),
        done => done.map(|()| ExitCode::SUCCESS),
    }
}

fn is_broken_pipe(error: &(dyn std::error::Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn build_scrubber(args: &RedactArgs, key: Option<PiiKey>) -> Result<Scrubber, CliError> {
    let policy = match &args.policy {
        Some(path) => {
            let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
            let text = std::fs::read_to_string(path).map_err(|error| wrong(&error))?;
            serde_json::from_str(&text).map_err(|error| wrong(&error))?
        }
        None => Policy { default: args.mode.into(), ..Policy::default() },
    };
    let builder = Scrubber::builder().policy(policy);
    let built = match key {
        Some(key) => builder.key(key.clone()).vault_key(key).build(),
        None => builder.key(PiiKey::new(IdGenerator::from_os()?.bytes::<32>())).build(),
    };
    built.map_err(|error| match error {
        // A value that is sealed without a key is lost.
        PolicyError::KeyMissing { .. } => "sealed values need a key; name it with --key-file".into(),
        error => error.into(),
    })
}

/// Reads the key from a file, and derives the key of a tenant from it if one is named.
fn read_key(path: &Path, tenant: Option<&str>) -> Result<PiiKey, CliError> {
    let bytes = std::fs::read(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    let bytes = bytes.trim_ascii_end();
    if bytes.len() < KEY_BYTES {
        return Err(format!("{}: a key has at least {KEY_BYTES} bytes", path.display()).into());
    }
    let key = PiiKey::new(bytes);
    Ok(match tenant {
        Some(tenant) => key.for_tenant(TenantId::new(tenant)?.as_str()),
        None => key,
    })
}
