//! Looking a file over, for whoever operates it.

use engines_core::{Result, Timestamp};
use rusqlite::Connection;

use super::{error::SqliteFailure, scopes::AUDIT_BITS, store::SqliteStore};

/// Faults of the file that are named, at the most.
const MAX_FAULTS: usize = 20;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct FileInspection {
    /// What SQLite's integrity check says is wrong; empty when the file is whole.
    pub faults: Vec<String>,
    /// The version of the schema.
    pub schema: i64,
    /// The version of SQLite.
    pub sqlite: String,
}

impl SqliteStore {
    /// Checks the whole file. Reads every page: a large file takes minutes.
    ///
    /// # Errors
    /// `BACKEND_UNAVAILABLE` when the file cannot be read.
    pub async fn inspect(&self) -> Result<FileInspection> {
        self.readers().run("sqlite.inspect", inspect_file).await
    }

    /// The latest time of what was written last: of dataset events, audit records and receipts. Reads a few rows for each scope.
    ///
    /// # Errors
    /// `BACKEND_UNAVAILABLE` when the file cannot be read.
    pub async fn newest_time(&self) -> Result<Option<Timestamp>> {
        let newest = self.readers().run("sqlite.newest", newest_timestamp).await?;
        Ok(newest.map(Timestamp::from_millis))
    }
}

fn inspect_file(connection: &Connection) -> Result<FileInspection, SqliteFailure> {
    let mut faults = Vec::new();
    let mut check = connection.prepare(&format!("PRAGMA integrity_check({MAX_FAULTS})"))?;
    let mut rows = check.query([])?;
    while let Some(row) = rows.next()? {
        let text: String = row.get(0)?;
        if text != "ok" {
            faults.push(text);
        }
    }
    let schema = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(FileInspection { faults, schema, sqlite: rusqlite::version().to_owned() })
}

/// The latest time among the last things written: dataset events by their highest time, the last audit record of each scope, the last receipt.
fn newest_timestamp(connection: &Connection) -> Result<Option<i64>, SqliteFailure> {
    const SQL: &str = "SELECT max(ts) FROM ( \
                       SELECT max(high) AS ts FROM scopes WHERE high > 0 \
                       UNION ALL SELECT (SELECT ts FROM audit WHERE place > scope_id << ?1 AND place < (scope_id + 1) << ?1 \
                       ORDER BY place DESC LIMIT 1) FROM scopes \
                       UNION ALL SELECT at FROM (SELECT at FROM once ORDER BY place DESC LIMIT 1))";
    Ok(connection.prepare_cached(SQL)?.query_row([AUDIT_BITS], |row| row.get(0))?)
}
