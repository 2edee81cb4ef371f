//! Opens the store of a data folder, for commands that work without a server.

use std::{path::PathBuf, sync::Arc};

use engines::storage::SqliteStore;

use super::error::CliError;
use crate::config::{Settings, StoreKind};

/// The name of the data file in its folder.
pub(super) const DATABASE: &str = "engines.db";

/// Returns the path of the data file, which must exist.
pub(super) fn database(settings: &Settings) -> Result<PathBuf, CliError> {
    if settings.store == StoreKind::Memory {
        return Err("the store is in memory and ends with the server, so there are no data for this command".into());
    }
    let path = settings.data.join(DATABASE);
    match path.try_exists() {
        Ok(true) => Ok(path),
        Ok(false) => Err(format!("there is no data file {}; name the folder with --data", path.display()).into()),
        Err(error) => Err(format!("the data file {} cannot be reached: {error}", path.display()).into()),
    }
}

/// Opens the store for this process alone.
pub(super) fn open(settings: &Settings) -> Result<Arc<SqliteStore>, CliError> {
    Ok(Arc::new(SqliteStore::open(database(settings)?, settings.sqlite.options())?))
}

/// Opens the store, read-only if a server uses it. The second value is true beside a server.
pub(super) fn open_to_read(settings: &Settings) -> Result<(Arc<SqliteStore>, bool), CliError> {
    let path = database(settings)?;
    match SqliteStore::is_in_use(&path)? {
        true => Ok((Arc::new(SqliteStore::open_beside(path, settings.sqlite.options())?), true)),
        false => Ok((Arc::new(SqliteStore::open(path, settings.sqlite.options())?), false)),
    }
}
