//! `backup create`: by the server that runs on the data folder, or, when none does, by this process.
//!
//! A process of its own could open the data file beside a running server. It does not, because its connection would keep the
//! shared index of the write-ahead log alive while the server restarts or opens the file again after an I/O error, and the server
//! could then not read the log from its first frame; because the server paces the copy by its own log; and because there is then one
//! place that knows whether a backup is being made.

use std::{
    collections::BTreeMap,
    fs::{File, TryLockError},
    path::Path,
    process::ExitCode,
};

use engines::{
    Engine, IdGenerator, Scope,
    backup::{BackupSettings, Backups, Manifest},
};

use super::{CreateArgs, place, requests::ask_server, show};
use crate::{
    cli::{
        data::DataDir,
        run::{Failed, say},
    },
    config::{self, Settings, StoreKind},
};

pub(super) fn run(args: &CreateArgs, variables: &BTreeMap<String, String>) -> Result<ExitCode, Failed> {
    let settings = place::settings(args.config.as_ref(), args.data.as_ref(), variables)?;
    if settings.store == StoreKind::Memory {
        return Err("the store is in the server's memory; only the program that has it can back it up".into());
    }
    let data = DataDir::existing(&settings)?;
    place::block_on(async {
        let manifest = match is_locked(&data.lock())? {
            true => ask_server(&data, absolute(args.to.as_deref())?).await?,
            false => make(&settings, &data, args.to.as_ref(), variables).await?,
        };
        match args.json {
            true => show::json(&manifest)?,
            false => say(&show::manifest(&manifest)),
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// The server may have another working folder.
fn absolute(place: Option<&str>) -> Result<Option<String>, Failed> {
    Ok(match place {
        Some(place) if !place.contains("://") => Some(std::path::absolute(place)?.to_string_lossy().into_owned()),
        place => place.map(str::to_owned),
    })
}

/// Whether a server holds the lock of the data file.
pub(super) fn is_locked(path: &Path) -> Result<bool, Failed> {
    let file = match File::options().write(true).open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        file => file?,
    };
    match file.try_lock() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

/// Makes the backup in this process, with the data file's lock held: no server starts meanwhile.
async fn make(
    settings: &Settings,
    data: &DataDir,
    to: Option<&String>,
    variables: &BTreeMap<String, String>,
) -> Result<Manifest, Failed> {
    let backups: Backups = place::backups(to, settings)?;
    let root = match config::root_key(settings, variables)? {
        Some(root) => Some(root),
        None => data.existing_root_key()?,
    };
    let unscheduled = BackupSettings { every_s: 0, at: String::new(), ..settings.backup.clone() };
    let mut builder = Engine::builder()
        .sqlite_with(data.database(), settings.sqlite.options())
        .backups(unscheduled)
        .backup_work(data.path());
    if let Some(root) = root {
        builder = builder.root_key(root);
    }
    if let Some(passphrase) = config::backup_passphrase(settings, variables)? {
        builder = builder.backup_passphrase(passphrase);
    }
    let engine = builder.ids(IdGenerator::from_os()?).build().await?;
    let context = engine.system(Scope::system()?, "engines-server backup create")?;
    let made = engine.backup().create_in(&context, &backups).await;
    engine.shutdown().await;
    Ok(made?)
}
