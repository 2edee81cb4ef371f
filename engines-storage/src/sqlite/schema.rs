//! The schema of the data file and its migrations.

use std::path::Path;

use engines_core::{Error, Result, clock::IdGenerator, stream::LogId};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::error::{SqliteFailure, open_error};

/// Identifies the store's files (`PRAGMA application_id`): "engn" in ASCII.
const APPLICATION_ID: i32 = 0x656e_676e;
/// The migrations in order. `PRAGMA user_version` is the number of migrations that were applied.
const MIGRATIONS: [&str; 3] = [include_str!("schema.sql"), include_str!("schema_2.sql"), include_str!("schema_3.sql")];

/// Migrates the file to the current schema and returns its log id.
pub(super) fn migrate(connection: &mut Connection, ids: Option<&IdGenerator>, path: &Path) -> Result<LogId> {
    let failed = |error: rusqlite::Error| opening_error(error.into(), path);
    let step = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let pragma = |name: &str| step.pragma_query_value(None, name, |row| row.get::<_, i32>(0)).map_err(failed);
    let (application, version) = (pragma("application_id")?, pragma("user_version")?);
    let tables: i64 = step.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(failed)?;
    if application != APPLICATION_ID && (tables > 0 || application != 0) {
        return Err(open_error("the file is an SQLite database of another program; choose another path".to_owned()));
    }
    let taken = usize::try_from(version).unwrap_or(usize::MAX);
    let Some(steps) = MIGRATIONS.get(taken..) else {
        return Err(open_error(format!(
            "the file has schema {version} and this program knows up to {}; use the newer program that wrote it",
            MIGRATIONS.len()
        )));
    };
    if !steps.is_empty() {
        for sql in steps {
            step.execute_batch(sql).map_err(failed)?;
        }
        step.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed)?;
        let today = i32::try_from(MIGRATIONS.len()).unwrap_or(i32::MAX);
        step.pragma_update(None, "user_version", today).map_err(failed)?;
    }
    let log = match log_id(&step, path)? {
        Some(log) => log,
        None => {
            let log = match ids {
                Some(ids) => ids.bytes(),
                None => IdGenerator::from_os()?.bytes(),
            };
            let log = LogId::from_bytes(log);
            set_log_id(&step, log, path)?;
            log
        }
    };
    step.commit().map_err(failed)?;
    Ok(log)
}

/// Returns the log id of a file that must have the current schema. Does not change the file.
pub(super) fn check_and_read_log_id(connection: &Connection, path: &Path) -> Result<LogId> {
    let failed = |error: rusqlite::Error| opening_error(error.into(), path);
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0)).map_err(failed);
    let (application, version) = (pragma("application_id")?, pragma("user_version")?);
    if application != APPLICATION_ID {
        return Err(open_error("the file is not a data file of this program".to_owned()));
    }
    let today = i32::try_from(MIGRATIONS.len()).unwrap_or(i32::MAX);
    if version != today {
        let detail = match version < today {
            true => format!(
                "the file has schema {version} and this program {today}; start the server once, which upgrades it"
            ),
            false => {
                format!("the file has schema {version} and this program knows up to {today}; use the newer program")
            }
        };
        return Err(open_error(detail));
    }
    let text: Option<String> = connection
        .query_row("SELECT value FROM meta WHERE name = 'log_id'", [], |row| row.get(0))
        .optional()
        .map_err(failed)?;
    let id = text.and_then(|text| u64::from_str_radix(&text, 16).ok());
    id.map(|id| LogId::from_bytes(id.to_be_bytes()))
        .ok_or_else(|| open_error("the file's log id is damaged; restore the file from a copy".to_owned()))
}

/// Returns the log id; `None` for a new file.
pub(super) fn log_id(connection: &Connection, path: &Path) -> Result<Option<LogId>> {
    let known: Option<String> = connection
        .query_row("SELECT value FROM meta WHERE name = 'log_id'", [], |row| row.get(0))
        .optional()
        .map_err(|error| opening_error(error.into(), path))?;
    let Some(text) = known else { return Ok(None) };
    let id = u64::from_str_radix(&text, 16)
        .map_err(|_| open_error("the file's log id is damaged; restore the file from a copy".to_owned()))?;
    Ok(Some(LogId::from_bytes(id.to_be_bytes())))
}

/// Replaces the log id.
pub(super) fn set_log_id(connection: &Connection, log: LogId, path: &Path) -> Result<()> {
    let text = format!("{:016x}", u64::from_be_bytes(log.to_bytes()));
    connection
        .execute("INSERT OR REPLACE INTO meta (name, value) VALUES ('log_id', ?1)", params![text])
        .map_err(|error| opening_error(error.into(), path))?;
    Ok(())
}

/// Returns the version of the current schema.
pub(super) fn version() -> u32 {
    u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX)
}

/// Checks that the file belongs to the store and that this program supports its schema. Does not change the file.
pub(super) fn check_version(connection: &Connection, path: &Path) -> Result<()> {
    let pragma = |name: &str| {
        connection
            .pragma_query_value(None, name, |row| row.get::<_, i32>(0))
            .map_err(|error| opening_error(error.into(), path))
    };
    if pragma("application_id")? != APPLICATION_ID {
        return Err(open_error("the file is not a data file of this program".to_owned()));
    }
    let version = pragma("user_version")?;
    match usize::try_from(version) {
        Ok(taken) if (1..=MIGRATIONS.len()).contains(&taken) => Ok(()),
        _ => Err(open_error(format!(
            "the file has schema {version} and this program knows up to {}; use the newer program that wrote it",
            MIGRATIONS.len()
        ))),
    }
}

/// Returns an error of opening the file, with the action to take.
pub(super) fn opening_error(failure: SqliteFailure, path: &Path) -> Error {
    let advice = match failure.needs_reopen {
        true => "check the file, its folder's permissions and the disk, or restore the file from a copy",
        false => "remove the cause and start again",
    };
    open_error(format!("{}: {failure}; {advice}", path.display()))
}
