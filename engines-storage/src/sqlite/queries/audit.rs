//! Queries for the audit records of a scope.

use std::borrow::Cow;

use engines_core::{
    Result, Scope,
    audit::{AuditEntry, AuditFilter, AuditOutcome},
    nexus::{Page, PageRequest, PageToken},
};
use rusqlite::{Connection, Row};

use super::page::{SqlParameters, empty_page, limit_plus_one, read_page, resume_number, scope_id};
use crate::sqlite::{
    error::SqliteFailure,
    scopes::AUDIT_BITS,
    streams::{column_error, read_actor, read_timestamp, read_ulid},
};

const LIST: &str = "audit";

/// Returns a query that reads a page of records. The token is checked now; the query runs on a reader.
pub(in crate::sqlite) fn audit_page(
    scope: Scope,
    filter: AuditFilter,
    wanted: PageRequest,
) -> Result<impl FnOnce(&Connection) -> Result<Page<AuditEntry>, SqliteFailure>> {
    let after = resume_number(LIST, &wanted)?;
    Ok(move |connection: &Connection| {
        let Some(scope_id) = scope_id(connection, &scope)? else { return Ok(empty_page()) };
        let (limit, base) = (wanted.limit.max(1), scope_id << AUDIT_BITS);
        let mut parameters = SqlParameters::default();
        let mut sql = format!(
            "SELECT rowkey, audit_id, ts, action, resource, outcome, actor_id, actor_type, request_id, trace_id, \
             span_id, reason FROM audit WHERE rowkey > {} AND rowkey < {}",
            parameters.add(base + after.min((1 << AUDIT_BITS) - 1)),
            parameters.add(base + (1 << AUDIT_BITS)),
        );
        let AuditFilter { action, actor_id, resource, from, until } = filter;
        for (column, text) in [("action", action), ("actor_id", actor_id), ("resource", resource)] {
            if let Some(text) = text {
                sql.push_str(&format!(" AND {column} = {}", parameters.add(text)));
            }
        }
        for (sign, at) in [(">=", from), ("<", until)] {
            if let Some(at) = at {
                sql.push_str(&format!(" AND ts {sign} {}", parameters.add(at.as_millis())));
            }
        }
        sql.push_str(&format!(" ORDER BY rowkey LIMIT {}", parameters.add(limit_plus_one(limit))));
        let token = |(rowkey, _): &(i64, AuditEntry)| PageToken::new(LIST, [(rowkey - base).to_string()]);
        Ok(read_page(connection, &sql, &parameters, limit, audit_row, token)?.map(|(_, entry)| entry))
    })
}

/// Selects the records between two row keys, in order.
pub(super) const BY_ROWKEY: &str = "SELECT rowkey, audit_id, ts, action, resource, outcome, actor_id, actor_type, \
                                   request_id, trace_id, span_id, reason FROM audit WHERE rowkey > ?1 AND rowkey < ?2 \
                                   ORDER BY rowkey LIMIT ?3";

/// Reads a record with its row key, and its approximate size in bytes.
pub(super) fn audit_row(row: &Row<'_>) -> rusqlite::Result<((i64, AuditEntry), usize)> {
    let resource: String = row.get(4)?;
    let weight = 256 + resource.len();
    let text = |index: usize| row.get_ref(index)?.as_str().map_err(rusqlite::Error::from);
    let entry = AuditEntry {
        audit_id: read_ulid(row, 1)?,
        ts: read_timestamp(row, 2)?,
        action: Cow::Owned(row.get(3)?),
        resource,
        outcome: match text(5)? {
            "done" => AuditOutcome::Done,
            "refused" => AuditOutcome::Refused,
            _ => return Err(column_error(5)),
        },
        actor: read_actor(row, 6)?,
        request_id: text(8)?.into(),
        trace_id: text(9)?.parse().map_err(|_| column_error(9))?,
        span_id: text(10)?.parse().map_err(|_| column_error(10))?,
        reason: row.get_ref(11)?.as_str_or_null()?.map(Into::into),
    };
    Ok(((row.get(0)?, entry), weight))
}
