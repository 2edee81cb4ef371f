//! The writer's numbers of scopes, and where each scope's logs have got to.

use std::collections::HashMap;

use engines_core::Scope;
use rusqlite::{Connection, OptionalExtension, params};

use super::error::Failure;

/// Bits of an audit record's place that number it in its scope.
pub(super) const AUDIT_BITS: u32 = 40;
/// Dataset events from one mark of their times to the next.
pub(super) const MARK_EVERY: i64 = 64;
/// Scopes kept in mind.
const KNOWN: usize = 65_536;

/// One scope.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) id: i64,
    /// The place of the last dataset event.
    pub(super) events: i64,
    /// The place of the last audit record.
    pub(super) audit: i64,
    /// The latest time of a dataset event, and by how much one was behind an earlier one, in milliseconds.
    high: i64,
    lag: i64,
    /// `events`, `high` and `lag` are not in the file yet.
    dirty: bool,
}

/// Scopes by name, as they are in the transaction that runs.
#[derive(Debug, Default)]
pub(super) struct Scopes {
    known: Vec<(Scope, Known)>,
    index: HashMap<Scope, usize>,
    /// The one asked for last: the next is often the same.
    last: usize,
    dirty: Vec<usize>,
}

impl Scopes {
    /// The scope, made if it has no number.
    pub(super) fn enter(&mut self, connection: &Connection, scope: &Scope) -> Result<&mut Known, Failure> {
        if self.known.get(self.last).is_none_or(|(name, _)| name != scope) {
            self.last = match self.index.get(scope) {
                Some(at) => *at,
                None => {
                    let known = match find(connection, scope)? {
                        Some(known) => known,
                        None => make(connection, scope)?,
                    };
                    self.index.insert(scope.clone(), self.known.len());
                    self.known.push((scope.clone(), known));
                    self.known.len() - 1
                }
            };
        }
        self.known.get_mut(self.last).map(|(_, known)| known).ok_or_else(|| rusqlite::Error::QueryReturnedNoRows.into())
    }

    /// A dataset event of this time takes the next place in the scope.
    pub(super) fn recorded(&mut self, connection: &Connection, scope: &Scope, ts: i64) -> Result<(), Failure> {
        let known = self.enter(connection, scope)?;
        known.events += 1;
        known.high = known.high.max(ts);
        known.lag = known.lag.max(known.high.saturating_sub(ts));
        if known.events % MARK_EVERY == 0 {
            const SQL: &str = "INSERT INTO event_marks (scope_id, high, seq) VALUES (?1, ?2, ?3)";
            connection.prepare_cached(SQL)?.execute(params![known.id, known.high, known.events])?;
        }
        if !std::mem::replace(&mut known.dirty, true) {
            self.dirty.push(self.last);
        }
        Ok(())
    }

    /// Writes what the transaction changed.
    pub(super) fn flush(&mut self, connection: &Connection) -> Result<(), Failure> {
        for at in self.dirty.drain(..) {
            if let Some((_, known)) = self.known.get_mut(at) {
                known.dirty = false;
                connection
                    .prepare_cached("UPDATE scopes SET events = ?2, high = ?3, lag = ?4 WHERE scope_id = ?1")?
                    .execute(params![known.id, known.events, known.high, known.lag])?;
            }
        }
        Ok(())
    }

    /// Between transactions: keeps the memory bounded.
    pub(super) fn trim(&mut self) {
        if self.known.len() > KNOWN {
            self.forget();
        }
    }

    /// Forgets everything: what was in mind is not what is in the file.
    pub(super) fn forget(&mut self) {
        self.known.clear();
        self.index.clear();
        self.dirty.clear();
    }
}

fn find(connection: &Connection, scope: &Scope) -> Result<Option<Known>, Failure> {
    let found = connection
        .prepare_cached("SELECT scope_id, events, high, lag FROM scopes WHERE tenant = ?1 AND env = ?2")?
        .query_row(params![scope.tenant().as_str(), scope.env().as_str()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .optional()?;
    let Some((id, events, high, lag)) = found else { return Ok(None) };
    Ok(Some(Known { id, events, audit: last_audit(connection, id)?, high, lag, dirty: false }))
}

fn make(connection: &Connection, scope: &Scope) -> Result<Known, Failure> {
    connection
        .prepare_cached("INSERT INTO scopes (tenant, env) VALUES (?1, ?2)")?
        .execute(params![scope.tenant().as_str(), scope.env().as_str()])?;
    let id = connection.last_insert_rowid();
    Ok(Known { id, events: 0, audit: last_audit(connection, id)?, high: 0, lag: 0, dirty: false })
}

fn last_audit(connection: &Connection, id: i64) -> Result<i64, Failure> {
    let base = id << AUDIT_BITS;
    let last: Option<i64> = connection
        .prepare_cached("SELECT max(place) FROM audit WHERE place > ?1 AND place < ?2")?
        .query_row(params![base, base + (1 << AUDIT_BITS)], |row| row.get(0))?;
    Ok(last.unwrap_or(base))
}
