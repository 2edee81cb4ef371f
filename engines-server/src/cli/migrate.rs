//! `migrate`: copies all data from one store to another.

use std::{collections::BTreeMap, path::Path, process::ExitCode, sync::Arc};

use engines::{
    IdGenerator,
    core::nexus::Backend,
    storage::{
        MemoryStore, SqliteOptions, SqliteStore,
        migration::{MigrationOptions, MigrationProgress, migrate},
    },
};

use super::{error::CliError, operation_args::MigrateArgs, runtime::block_on, terminal::print};
use crate::config::{self, Flags};

/// A store that was opened for a migration, with the function that closes it.
struct MigrationStore {
    backend: Arc<dyn Backend>,
    sqlite: Option<Arc<SqliteStore>>,
}

/// A kind of store, by the scheme of its URL. Stores of each kind in the list can be source and target.
struct StoreScheme {
    name: &'static str,
    /// Opens the store that the rest of the URL names. A source must exist.
    open: fn(&str, options: &SqliteOptions, source: bool) -> Result<MigrationStore, CliError>,
}

const SCHEMES: [StoreScheme; 2] =
    [StoreScheme { name: "sqlite", open: open_sqlite }, StoreScheme { name: "memory", open: open_memory }];

fn open_sqlite(path: &str, options: &SqliteOptions, source: bool) -> Result<MigrationStore, CliError> {
    let path = Path::new(path);
    if source && !path.try_exists()? {
        return Err(format!("there is no data file {}", path.display()).into());
    }
    let store = Arc::new(SqliteStore::open(path, options.clone())?);
    Ok(MigrationStore { backend: Arc::clone(&store) as Arc<dyn Backend>, sqlite: Some(store) })
}

fn open_memory(rest: &str, _: &SqliteOptions, source: bool) -> Result<MigrationStore, CliError> {
    if source || !rest.is_empty() {
        return Err("memory: can only be the target, without a name; its data end with the command".into());
    }
    Ok(MigrationStore { backend: Arc::new(MemoryStore::new(&IdGenerator::from_os()?)), sqlite: None })
}

fn open(url: &str, options: &SqliteOptions, source: bool) -> Result<MigrationStore, CliError> {
    let known = || SCHEMES.iter().map(|scheme| format!("{}:", scheme.name)).collect::<Vec<_>>().join(", ");
    let (scheme, rest) = url
        .split_once(':')
        .ok_or_else(|| format!("{url} has no scheme of a store; start it with one of {}", known()))?;
    let scheme = SCHEMES.iter().find(|known| known.name == scheme);
    let scheme = scheme.ok_or_else(|| format!("{url} has an unknown scheme; this program supports {}", known()))?;
    (scheme.open)(rest, options, source)
}

pub(super) fn run(args: &MigrateArgs, variables: &BTreeMap<String, String>) -> Result<ExitCode, CliError> {
    let settings = config::load(&Flags { config: args.config.clone(), ..Flags::default() }, variables)?;
    let sqlite = settings.sqlite.options();
    block_on(async {
        let from = open(&args.from, &sqlite, true)?;
        let to = open(&args.to, &sqlite, false)?;
        let options = MigrationOptions { restart: args.restart };
        let migrated = migrate(&*from.backend, &*to.backend, options, |progress| match progress {
            MigrationProgress::Started { scopes, resumed: 0 } => print(&format!("{scopes} scopes to move")),
            MigrationProgress::Started { scopes, resumed } => {
                print(&format!("{scopes} scopes to move, of which {resumed} were begun before"));
            }
            MigrationProgress::Staged(scope) => print(&format!("  staged {scope}")),
            MigrationProgress::Verified(scope) => print(&format!("  verified {scope}")),
        })
        .await;
        for store in [from.sqlite, to.sqlite].into_iter().flatten() {
            store.close().await;
        }
        let migrated = migrated?;
        print(&format!(
            "migrated {} scopes, {} records; SHA-256 of all of them: {}",
            migrated.scopes, migrated.records, migrated.sha256
        ));
        print(
            "the log keeps its id, so readers resume with their cursors; copy root.key and the other secrets as well",
        );
        Ok(ExitCode::SUCCESS)
    })
}
