//! `backup create`. The server that runs on the data folder makes the backup. If none runs, this process makes it.
//!
//! This process could open the data file beside a running server. It does not, for three reasons:
//!
//! - Its connection would keep the shared index of the write-ahead log alive while the server restarts or reopens the
//!   file after an I/O error. The server could then not read the log from its first frame.
//! - The server paces the copy by its own log.
//! - One process knows whether a backup is being made.

use std::{collections::BTreeMap, process::ExitCode};

use engines::{
    Engine, IdGenerator, Scope,
    backup::{BackupManifest, BackupSettings, Backups},
};

use super::{CreateArgs, location, output, requests::request_backup};
use crate::{
    cli::{data_dir::DataDir, error::CliError, runtime::block_on, terminal::print},
    config::{self, Settings, StoreKind},
};

pub(super) fn run(args: &CreateArgs, variables: &BTreeMap<String, String>) -> Result<ExitCode, CliError> {
    let settings = location::load_settings(args.config.as_ref(), args.data.as_ref(), variables)?;
    if settings.store == StoreKind::Memory {
        return Err("the store is in the server's memory, so no other process can back it up".into());
    }
    let data = DataDir::open_existing(&settings)?;
    block_on(async {
        let manifest = match data.is_in_use()? {
            true => request_backup(&data, absolute_destination(args.to.as_deref())?).await?,
            false => make_backup(&settings, &data, args.to.as_ref(), variables).await?,
        };
        match args.json {
            true => output::print_json(&manifest)?,
            false => print(&output::format_manifest(&manifest)),
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Makes a path absolute, because the server may have another working folder.
fn absolute_destination(place: Option<&str>) -> Result<Option<String>, CliError> {
    Ok(match place {
        Some(place) if !place.contains("://") => Some(std::path::absolute(place)?.to_string_lossy().into_owned()),
        place => place.map(str::to_owned),
    })
}

/// Makes the backup in this process. It holds the lock of the data file, so that no server starts meanwhile.
async fn make_backup(
    settings: &Settings,
    data: &DataDir,
    to: Option<&String>,
    variables: &BTreeMap<String, String>,
) -> Result<BackupManifest, CliError> {
    let backups: Backups = location::open_backups(to, settings)?;
    let root = match config::root_key(settings, variables)? {
        Some(root) => Some(root),
        None => data.existing_root_key()?,
    };
    let unscheduled = BackupSettings { every_s: 0, at: String::new(), ..settings.backup.clone() };
    let mut builder = Engine::builder()
        .sqlite_with(data.database(), settings.sqlite.options())
        .backups(unscheduled)
        .backup_work_folder(data.path());
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
