//! Removing the rows of trimmed and deleted streams, a few at a time, so that a large trim does not hold up whoever writes.
//!
//! A trim or deletion takes effect at once: nobody is given an event before its stream's `first`. The rows, and the receipts of deleted
//! streams, go between groups of batches; what is left when the store is closed goes when it is opened again.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::{error::Failure, once, store::Shared, streams::Stream};

/// Rows removed in one transaction.
const ROWS: i64 = 1000;
/// Receipts looked at in one transaction.
const RECEIPTS: usize = 1000;
/// Deleted streams whose receipts are looked for at the same time.
const STREAMS: usize = 256;

/// Removes some rows; returns whether there may be more.
pub(super) fn clear(connection: &Connection, shared: &Shared) -> Result<bool, Failure> {
    const NEXT: &str = "SELECT stream_id, kept, first FROM streams WHERE kept < first LIMIT 1";
    let next: Option<(i64, i64, i64)> =
        connection.prepare_cached(NEXT)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
    let Some((id, kept, first)) = next else { return receipts(connection, shared) };
    let (base, to) = (Stream::base(id), first.min(kept + ROWS));
    let step = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    step.prepare_cached("DELETE FROM stream_events WHERE place >= ?1 AND place < ?2")?
        .execute([base + kept, base + to])?;
    step.prepare_cached("UPDATE streams SET kept = ?2 WHERE stream_id = ?1")?.execute(params![id, to])?;
    step.commit()?;
    shared.erasure.committed(true, false);
    Ok(true)
}

/// Looks through some receipts of a scope for those of its deleted streams, and removes these.
fn receipts(connection: &Connection, shared: &Shared) -> Result<bool, Failure> {
    const NEXT: &str = "SELECT scope_id, tenant, env, deleted FROM streams JOIN scopes USING (scope_id) \
                        WHERE deleted > 0 AND env NOT LIKE '%~staged' ORDER BY scope_id, deleted LIMIT 1";
    // Those that have come equally far are looked for together.
    const NAMES: &str =
        "SELECT key, stream_id FROM streams WHERE scope_id = ?1 AND deleted = ?2 AND deleted > 0 LIMIT ?3";
    let next: Option<(i64, String, String, i64)> = connection
        .prepare_cached(NEXT)?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .optional()?;
    let Some((scope_id, tenant, env, from)) = next else { return Ok(false) };
    let step = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    let streams: HashMap<String, i64> = step
        .prepare_cached(NAMES)?
        .query_map(params![scope_id, from, i64::try_from(STREAMS).unwrap_or(i64::MAX)], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect::<Result<_, _>>()?;
    let records = once::of_scope(&step, scope_id, from, RECEIPTS)?;
    let of_deleted = records.iter().filter(|record| streams.contains_key(stream_of(&record.realm)));
    let removed = once::delete(&step, (&tenant, &env), of_deleted)?;
    let reached = match records.last() {
        Some(last) if records.len() == RECEIPTS => last.place + 1,
        _ => -1,
    };
    let mut update = step.prepare_cached("UPDATE streams SET deleted = ?2 WHERE stream_id = ?1")?;
    for id in streams.values() {
        update.execute([*id, reached])?;
    }
    drop(update);
    step.commit()?;
    shared.once.removed(&removed);
    shared.erasure.committed(!removed.is_empty(), false);
    Ok(true)
}

/// The stream whose receipts have this realm: `chat/T` of `chat/T/ada`.
fn stream_of(realm: &str) -> &str {
    let end = realm.match_indices('/').nth(1).map_or(realm.len(), |(at, _)| at);
    realm.get(..end).unwrap_or(realm)
}
