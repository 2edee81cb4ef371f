//! Inspection of a data file by an operator.

use engines_core::{Result, Timestamp};
use rusqlite::Connection;

use super::{error::SqliteFailure, scopes::AUDIT_BITS, store::SqliteStore};

/// Maximum number of faults that are reported.
const MAX_FAULTS: usize = 20;

/// The result of [`SqliteStore::inspect`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct FileInspection {
    /// The faults that SQLite's integrity check found; empty when the file is not damaged.
    pub faults: Vec<String>,
    /// The version of the schema.
    pub schema: i64,
    /// The version of SQLite.
    pub sqlite: String,
}

impl SqliteStore {
    /// Checks the whole file. Every page is read: a large file takes minutes.
    ///
    /// # Errors
    ///
    /// `BACKEND_UNAVAILABLE` when the file cannot be read.
    pub async fn inspect(&self) -> Result<FileInspection> {
        self.readers().run("sqlite.inspect", inspect_file).await
    }

    /// Returns the latest time among the newest dataset events, audit records and receipts. Reads a few rows per
    /// scope.
    ///
    /// # Errors
    ///
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

/// Returns the latest of these times: each scope's latest dataset event, each scope's last audit record, the last
/// receipt.
fn newest_timestamp(connection: &Connection) -> Result<Option<i64>, SqliteFailure> {
    const SQL: &str = "SELECT max(ts) FROM ( \
                       SELECT max(high) AS ts FROM scopes WHERE high > 0 \
                       UNION ALL SELECT (SELECT ts FROM audit WHERE rowkey > scope_id << ?1 AND rowkey < (scope_id + 1) << ?1 \
                       ORDER BY rowkey DESC LIMIT 1) FROM scopes \
                       UNION ALL SELECT at FROM (SELECT at FROM once ORDER BY rowkey DESC LIMIT 1))";
    Ok(connection.prepare_cached(SQL)?.query_row([AUDIT_BITS], |row| row.get(0))?)
}
