//! Removing the rows of trimmed events, a few at a time, so that a large trim does not hold up whoever writes.
//!
//! A trim takes effect at once: nobody is given an event before its stream's `first`. Its rows go between groups of batches; what is
//! left when the store is closed goes when it is opened again.

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::{error::Failure, streams::Stream};

/// Rows removed in one transaction.
const ROWS: i64 = 1000;

/// Removes some rows; returns whether there may be more.
pub(super) fn clear(connection: &Connection) -> Result<bool, Failure> {
    const NEXT: &str = "SELECT stream_id, kept, first FROM streams WHERE kept < first LIMIT 1";
    let next: Option<(i64, i64, i64)> =
        connection.prepare_cached(NEXT)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
    let Some((id, kept, first)) = next else { return Ok(false) };
    let (base, to) = (Stream::base(id), first.min(kept + ROWS));
    let step = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    step.prepare_cached("DELETE FROM stream_events WHERE place >= ?1 AND place < ?2")?
        .execute([base + kept, base + to])?;
    step.prepare_cached("UPDATE streams SET kept = ?2 WHERE stream_id = ?1")?.execute(params![id, to])?;
    step.commit()?;
    Ok(true)
}
