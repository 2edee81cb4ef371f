//! Deletes the rows of trimmed and deleted streams, a few at a time, so that a large trim does not delay commits.
//!
//! A trim or deletion takes effect with its commit: no reader gets an event before its stream's `first`. The rows,
//! and the receipts of deleted streams, are deleted between groups of batches. When the store is closed, the rest is
//! deleted after it is opened again.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::{error::SqliteFailure, idempotency, state::StoreState, streams::StreamRow};

/// Number of rows deleted in one transaction.
const ROWS_PER_STEP: i64 = 1000;
/// Number of receipts examined in one transaction.
const RECEIPTS_PER_STEP: usize = 1000;
/// Number of deleted streams whose receipts are searched for at the same time.
const STREAMS_PER_STEP: usize = 256;

/// Deletes some rows; returns whether there may be more.
pub(super) fn remove_trimmed_rows(connection: &Connection, shared: &StoreState) -> Result<bool, SqliteFailure> {
    const NEXT: &str = "SELECT stream_id, kept, first FROM streams WHERE kept < first LIMIT 1";
    let next: Option<(i64, i64, i64)> =
        connection.prepare_cached(NEXT)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
    let Some((id, kept, first)) = next else { return remove_receipts(connection, shared) };
    let (base, to) = (StreamRow::rowkey_base(id), first.min(kept + ROWS_PER_STEP));
    let step = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    step.prepare_cached("DELETE FROM stream_events WHERE rowkey >= ?1 AND rowkey < ?2")?
        .execute([base + kept, base + to])?;
    step.prepare_cached("UPDATE streams SET kept = ?2 WHERE stream_id = ?1")?.execute(params![id, to])?;
    step.commit()?;
    shared.erasure.note_commit(true, false);
    Ok(true)
}

/// Examines some receipts of a scope and deletes those of its deleted streams.
fn remove_receipts(connection: &Connection, shared: &StoreState) -> Result<bool, SqliteFailure> {
    const NEXT: &str = "SELECT scope_id, tenant, env, deleted FROM streams JOIN scopes USING (scope_id) \
                        WHERE deleted > 0 AND env NOT LIKE '%~staged' ORDER BY scope_id, deleted LIMIT 1";
    // Streams that have made the same progress are searched for together.
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
        .query_map(params![scope_id, from, i64::try_from(STREAMS_PER_STEP).unwrap_or(i64::MAX)], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect::<Result<_, _>>()?;
    let records = idempotency::receipts_of_scope(&step, scope_id, from, RECEIPTS_PER_STEP)?;
    let of_deleted = records.iter().filter(|record| streams.contains_key(stream_of_realm(&record.realm)));
    let removed = idempotency::delete(&step, (&tenant, &env), of_deleted)?;
    let reached = match records.last() {
        Some(last) if records.len() == RECEIPTS_PER_STEP => last.rowkey + 1,
        _ => -1,
    };
    let mut update = step.prepare_cached("UPDATE streams SET deleted = ?2 WHERE stream_id = ?1")?;
    for id in streams.values() {
        update.execute([*id, reached])?;
    }
    drop(update);
    step.commit()?;
    shared.idempotency.remove_entries(&removed);
    shared.erasure.note_commit(!removed.is_empty(), false);
    Ok(true)
}

/// Returns the stream of a receipt's namespace: `chat/T` for `chat/T/ada`.
fn stream_of_realm(realm: &str) -> &str {
    let end = realm.match_indices('/').nth(1).map_or(realm.len(), |(at, _)| at);
    realm.get(..end).unwrap_or(realm)
}
