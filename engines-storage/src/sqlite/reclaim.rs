//! The release of free pages to the file system.

use rusqlite::Connection;

use super::error::SqliteFailure;

/// Number of pages released in one transaction: 1 MiB.
const PAGES_PER_STEP: usize = 256;

/// Releases some free pages to the file system. Returns whether there is nothing left to release, and no row left
/// that is to be deleted.
pub(super) fn reclaim(connection: &Connection) -> Result<bool, SqliteFailure> {
    const LEFT: &str = "SELECT EXISTS (SELECT 1 FROM streams WHERE kept < first) \
                        OR EXISTS (SELECT 1 FROM streams WHERE deleted > 0)";
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    if connection.prepare_cached(LEFT)?.query_row([], |row| row.get(0))? {
        return Ok(false);
    }
    // A file of an older version cannot release pages until it is rebuilt: see `SqliteOptions::rebuild`.
    const INCREMENTAL: i64 = 2;
    if pragma("auto_vacuum")? != INCREMENTAL {
        return Ok(true);
    }
    let mut vacuum = connection.prepare(&format!("PRAGMA incremental_vacuum({PAGES_PER_STEP})"))?;
    let mut pages = vacuum.query([])?;
    // Each row releases one page.
    while pages.next()?.is_some() {}
    Ok(pragma("freelist_count")? == 0)
}
