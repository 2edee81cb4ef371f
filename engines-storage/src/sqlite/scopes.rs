//! The writer's cache of scopes: their numbers and the ends of their logs.

use std::collections::HashMap;

use engines_core::Scope;
use rusqlite::{Connection, OptionalExtension, params};

use super::error::SqliteFailure;

/// Number of low bits in an audit record's row key that contain its number in the scope.
pub(super) const AUDIT_BITS: u32 = 40;
/// Number of dataset events from one time mark to the next.
pub(super) const MARK_EVERY: i64 = 64;
/// Maximum number of cached scopes.
const MAX_CACHED_SCOPES: usize = 65_536;

/// The state of one scope.
#[derive(Debug, Clone, Copy)]
pub(super) struct ScopeState {
    pub(super) id: i64,
    /// The sequence of the last dataset event.
    pub(super) last_event: i64,
    /// The row key of the last audit record.
    pub(super) last_audit: i64,
    /// The latest time of a dataset event, and the largest lag of an event behind an earlier one, in milliseconds.
    latest_ts_ms: i64,
    max_lag_ms: i64,
    /// Whether `events`, `high` and `lag` have changed and are not in the file yet.
    dirty: bool,
}

/// Scopes by name, as the running transaction sees them.
#[derive(Debug, Default)]
pub(super) struct ScopeCache {
    entries: Vec<(Scope, ScopeState)>,
    index: HashMap<Scope, usize>,
    /// The index of the scope that was requested last; the next request is often for the same one.
    last_index: usize,
    dirty: Vec<usize>,
}

impl ScopeCache {
    /// Returns the scope; inserts its row if it has none.
    pub(super) fn get_or_create(
        &mut self,
        connection: &Connection,
        scope: &Scope,
    ) -> Result<&mut ScopeState, SqliteFailure> {
        if self.entries.get(self.last_index).is_none_or(|(name, _)| name != scope) {
            self.last_index = match self.index.get(scope) {
                Some(at) => *at,
                None => {
                    let known = match load_scope(connection, scope)? {
                        Some(known) => known,
                        None => create_scope(connection, scope)?,
                    };
                    self.index.insert(scope.clone(), self.entries.len());
                    self.entries.push((scope.clone(), known));
                    self.entries.len() - 1
                }
            };
        }
        self.entries
            .get_mut(self.last_index)
            .map(|(_, known)| known)
            .ok_or_else(|| rusqlite::Error::QueryReturnedNoRows.into())
    }

    /// Records a dataset event with this time as the scope's next event.
    pub(super) fn note_event(&mut self, connection: &Connection, scope: &Scope, ts: i64) -> Result<(), SqliteFailure> {
        let known = self.get_or_create(connection, scope)?;
        known.last_event += 1;
        known.latest_ts_ms = known.latest_ts_ms.max(ts);
        known.max_lag_ms = known.max_lag_ms.max(known.latest_ts_ms.saturating_sub(ts));
        if known.last_event % MARK_EVERY == 0 {
            const SQL: &str = "INSERT INTO event_marks (scope_id, high, seq) VALUES (?1, ?2, ?3)";
            connection.prepare_cached(SQL)?.execute(params![known.id, known.latest_ts_ms, known.last_event])?;
        }
        if !std::mem::replace(&mut known.dirty, true) {
            self.dirty.push(self.last_index);
        }
        Ok(())
    }

    /// Writes the changes of the transaction.
    pub(super) fn write_changes(&mut self, connection: &Connection) -> Result<(), SqliteFailure> {
        for at in self.dirty.drain(..) {
            if let Some((_, known)) = self.entries.get_mut(at) {
                known.dirty = false;
                connection
                    .prepare_cached("UPDATE scopes SET events = ?2, high = ?3, lag = ?4 WHERE scope_id = ?1")?
                    .execute(params![known.id, known.last_event, known.latest_ts_ms, known.max_lag_ms])?;
            }
        }
        Ok(())
    }

    /// Limits the size of the cache. Called between transactions.
    pub(super) fn shrink(&mut self) {
        if self.entries.len() > MAX_CACHED_SCOPES {
            self.clear();
        }
    }

    /// Clears the cache, because it does not match the file.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.index.clear();
        self.dirty.clear();
    }
}

fn load_scope(connection: &Connection, scope: &Scope) -> Result<Option<ScopeState>, SqliteFailure> {
    let found = connection
        .prepare_cached("SELECT scope_id, events, high, lag FROM scopes WHERE tenant = ?1 AND env = ?2")?
        .query_row(params![scope.tenant().as_str(), scope.env().as_str()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .optional()?;
    let Some((id, events, high, lag)) = found else { return Ok(None) };
    Ok(Some(ScopeState {
        id,
        last_event: events,
        last_audit: load_last_audit(connection, id)?,
        latest_ts_ms: high,
        max_lag_ms: lag,
        dirty: false,
    }))
}

fn create_scope(connection: &Connection, scope: &Scope) -> Result<ScopeState, SqliteFailure> {
    connection
        .prepare_cached("INSERT INTO scopes (tenant, env) VALUES (?1, ?2)")?
        .execute(params![scope.tenant().as_str(), scope.env().as_str()])?;
    let id = connection.last_insert_rowid();
    Ok(ScopeState {
        id,
        last_event: 0,
        last_audit: load_last_audit(connection, id)?,
        latest_ts_ms: 0,
        max_lag_ms: 0,
        dirty: false,
    })
}

fn load_last_audit(connection: &Connection, id: i64) -> Result<i64, SqliteFailure> {
    let base = id << AUDIT_BITS;
    let last: Option<i64> = connection
        .prepare_cached("SELECT max(rowkey) FROM audit WHERE rowkey > ?1 AND rowkey < ?2")?
        .query_row(params![base, base + (1 << AUDIT_BITS)], |row| row.get(0))?;
    Ok(last.unwrap_or(base))
}
