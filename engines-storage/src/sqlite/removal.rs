//! Removal of data, a bounded number of rows per transaction.

use engines_core::{
    DocId, Scope, StreamKey,
    nexus::{DocumentKind, Removal, RemovalProgress},
};
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    documents,
    error::SqliteFailure,
    idempotency,
    job::RemovalWrite,
    queries,
    scopes::AUDIT_BITS,
    streams::{StreamRow, column_error},
    transaction::BatchTransaction,
};

/// Minimum number of marks of removed events that are deleted in one transaction.
const MIN_MARKS_PER_STEP: usize = 64;

impl BatchTransaction<'_> {
    /// Performs one step of a removal.
    pub(super) fn remove_step(&mut self, scope: &Scope, step: &RemovalWrite) -> Result<RemovalProgress, SqliteFailure> {
        let nothing = RemovalProgress { done: true, ..RemovalProgress::default() };
        let Some(scope_id) = scope_id(self.connection, scope)? else { return Ok(nothing) };
        let limit = step.limit.max(1);
        let removed = match &step.removal {
            Removal::Events { filter, delivered } => {
                self.scopes.write_changes(self.connection)?;
                let delivered = delivered.and_then(|position| i64::try_from(position).ok()).unwrap_or(i64::MAX);
                let found =
                    queries::find_removable(self.connection, scope_id, filter.clone(), delivered, step.after, limit)?;
                let mut delete = self.connection.prepare_cached("DELETE FROM dataset_events WHERE position = ?1")?;
                for position in &found.positions {
                    delete.execute([position])?;
                }
                remove_marks(self.connection, scope_id, limit.max(MIN_MARKS_PER_STEP))?;
                let position = Some(found.scanned_to.to_string());
                RemovalProgress { removed: to_u64(found.positions.len()), position, done: found.done }
            }
            Removal::Receipts { before } => {
                let records = idempotency::receipts_of_scope(self.connection, scope_id, 0, limit.saturating_add(1))?;
                let mut old: Vec<_> = records.into_iter().take_while(|record| record.at < before.as_millis()).collect();
                let done = old.len() <= limit;
                old.truncate(limit);
                self.idempotency.remove(self.connection, scope, &old)?;
                RemovalProgress { removed: to_u64(old.len()), position: None, done }
            }
            Removal::Audit { before } => {
                let (removed, done) = remove_audit(self.connection, scope_id, Some(before.as_millis()), limit)?;
                RemovalProgress { removed: to_u64(removed), position: None, done }
            }
            Removal::Scope => self.remove_scope(scope, scope_id, limit)?,
            // `Removal` is non-exhaustive: a later version of the trait may add a variant.
            _ => return Err(rusqlite::Error::InvalidQuery.into()),
        };
        self.has_erased |= removed.removed > 0;
        Ok(removed)
    }

    fn remove_scope(&mut self, scope: &Scope, scope_id: i64, limit: usize) -> Result<RemovalProgress, SqliteFailure> {
        // Heads and counters of this transaction must be in the file before its rows are read.
        self.write_heads()?;
        let mut left = limit;
        left -= self.remove_documents(scope, scope_id, left)?;
        if left > 0 {
            left -= self.remove_streams(scope, scope_id, left)?;
        }
        let tables = [
            "DELETE FROM dataset_events WHERE position IN \
             (SELECT position FROM dataset_events WHERE scope_id = ?1 ORDER BY seq LIMIT ?2)",
            "DELETE FROM event_marks WHERE (scope_id, high, seq) IN \
             (SELECT scope_id, high, seq FROM event_marks WHERE scope_id = ?1 ORDER BY high, seq LIMIT ?2)",
        ];
        for sql in tables {
            if left > 0 {
                left -= self.connection.prepare_cached(sql)?.execute(params![scope_id, to_i64(left)])?;
            }
        }
        if left > 0 {
            let records = idempotency::receipts_of_scope(self.connection, scope_id, 0, left)?;
            self.idempotency.remove(self.connection, scope, &records)?;
            left -= records.len();
        }
        if left > 0 {
            left -= remove_audit(self.connection, scope_id, None, left)?.0;
        }
        let done = left > 0;
        if done {
            self.connection.prepare_cached("DELETE FROM scopes WHERE scope_id = ?1")?.execute([scope_id])?;
            self.scopes.clear();
        }
        Ok(RemovalProgress { removed: to_u64(limit - left), position: None, done })
    }

    fn remove_documents(&mut self, scope: &Scope, scope_id: i64, limit: usize) -> Result<usize, SqliteFailure> {
        const SQL: &str = "SELECT id, version, created_at, updated_at, tags, body, kind FROM documents \
                           WHERE scope_id = ?1 ORDER BY kind, id LIMIT ?2";
        let found = {
            let mut statement = self.connection.prepare_cached(SQL)?;
            let rows = statement.query_map(params![scope_id, to_i64(limit)], |row| {
                let kind = DocumentKind::new(row.get_ref(6)?.as_str()?).map_err(|_| column_error(6))?;
                documents::read_row(row, &kind)
            })?;
            rows.collect::<Result<Vec<_>, _>>()?
        };
        for stored in &found {
            documents::delete(self.connection, scope_id, stored)?;
            let (kind, id): (DocumentKind, DocId) = (stored.document.kind.clone(), stored.document.id.clone());
            self.documents.insert((scope.clone(), kind, id), None);
        }
        Ok(found.len())
    }

    fn remove_streams(&mut self, scope: &Scope, scope_id: i64, limit: usize) -> Result<usize, SqliteFailure> {
        const NEXT: &str = "SELECT stream_id, key, head, kept FROM streams WHERE scope_id = ?1 ORDER BY key LIMIT 1";
        let mut left = limit;
        while left > 0 {
            let next = self.connection.prepare_cached(NEXT)?.query_row([scope_id], |row| {
                let key: StreamKey = row.get_ref(1)?.as_str()?.parse().map_err(|_| column_error(1))?;
                Ok((row.get::<_, i64>(0)?, key, row.get::<_, i64>(2)?, row.get::<_, i64>(3)?))
            });
            let Some((id, key, head, kept)) = next.optional()? else { break };
            let (base, to) = (StreamRow::rowkey_base(id), (head + 1).min(kept.saturating_add(to_i64(left))));
            self.connection
                .prepare_cached("DELETE FROM stream_events WHERE rowkey >= ?1 AND rowkey < ?2")?
                .execute([base + kept, base + to])?;
            left -= usize::try_from((to - kept).max(1)).unwrap_or(left).min(left);
            if to > head {
                self.connection.prepare_cached("DELETE FROM streams WHERE stream_id = ?1")?.execute([id])?;
                self.forget_stream(scope, &key)?;
            } else {
                const STEP: &str = "UPDATE streams SET kept = ?2, first = max(first, ?2) WHERE stream_id = ?1";
                self.connection.prepare_cached(STEP)?.execute([id, to])?;
                self.reload_stream(scope, &key)?;
            }
        }
        Ok(limit - left)
    }
}

/// Deletes a scope's oldest audit records: all, or those before a time except for the newest. Returns the number
/// deleted and whether the removal is complete.
fn remove_audit(
    connection: &Connection,
    scope_id: i64,
    before: Option<i64>,
    limit: usize,
) -> Result<(usize, bool), SqliteFailure> {
    const OLDEST: &str = "SELECT rowkey, ts FROM audit WHERE rowkey > ?1 AND rowkey < ?2 ORDER BY rowkey LIMIT ?3";
    let (base, end) = (scope_id << AUDIT_BITS, (scope_id + 1) << AUDIT_BITS);
    let mut statement = connection.prepare_cached(OLDEST)?;
    let rows = statement.query_map(params![base, end, to_i64(limit.saturating_add(1))], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
    })?;
    let mut oldest = rows.collect::<Result<Vec<_>, _>>()?;
    let more = oldest.len() > limit;
    if before.is_some() && !more {
        oldest.pop();
    }
    oldest.truncate(limit);
    let old = oldest.iter().take_while(|(_, ts)| before.is_none_or(|before| *ts < before)).count();
    if let Some((last, _)) = old.checked_sub(1).and_then(|at| oldest.get(at)) {
        connection.prepare_cached("DELETE FROM audit WHERE rowkey > ?1 AND rowkey <= ?2")?.execute([base, *last])?;
    }
    Ok((old, !(more && old == limit)))
}

/// Deletes marks that refer to no event any more.
fn remove_marks(connection: &Connection, scope_id: i64, limit: usize) -> Result<(), SqliteFailure> {
    const SQL: &str = "DELETE FROM event_marks WHERE (scope_id, high, seq) IN \
                       (SELECT scope_id, high, seq FROM event_marks WHERE scope_id = ?1 ORDER BY high, seq LIMIT ?2) \
                       AND seq < (SELECT coalesce(min(seq), 0) FROM dataset_events WHERE scope_id = ?1)";
    connection.prepare_cached(SQL)?.execute(params![scope_id, to_i64(limit)])?;
    Ok(())
}

fn scope_id(connection: &Connection, scope: &Scope) -> Result<Option<i64>, SqliteFailure> {
    let found = connection
        .prepare_cached("SELECT scope_id FROM scopes WHERE tenant = ?1 AND env = ?2")?
        .query_row(params![scope.tenant().as_str(), scope.env().as_str()], |row| row.get(0));
    Ok(found.optional()?)
}

fn to_u64(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn to_i64(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
