//! Audit records of a scope.

use std::borrow::Cow;

use engines_core::{
    Result, Scope,
    audit::{AuditEntry, AuditFilter, Outcome},
    nexus::{Page, PageToken, Paged},
};
use rusqlite::{Connection, Row};

use super::page::{Parameters, empty, one_more, page, resume, scope_id};
use crate::sqlite::{
    error::Failure,
    scopes::AUDIT_BITS,
    streams::{actor, bad, timestamp, ulid},
};

const LIST: &str = "audit";

/// Reads a page of records; the page's token is checked at once, the rest is for a reader.
pub(in crate::sqlite) fn audit(
    scope: Scope,
    filter: AuditFilter,
    wanted: Page,
) -> Result<impl FnOnce(&Connection) -> Result<Paged<AuditEntry>, Failure>> {
    let after = resume(LIST, &wanted)?;
    Ok(move |connection: &Connection| {
        let Some(scope_id) = scope_id(connection, &scope)? else { return Ok(empty()) };
        let (limit, base) = (wanted.limit.max(1), scope_id << AUDIT_BITS);
        let mut parameters = Parameters::default();
        let mut sql = format!(
            "SELECT place, audit_id, ts, action, resource, outcome, actor_id, actor_type, request_id, trace_id, \
             span_id, reason FROM audit WHERE place > {} AND place < {}",
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
        sql.push_str(&format!(" ORDER BY place LIMIT {}", parameters.add(one_more(limit))));
        let token = |(place, _): &(i64, AuditEntry)| PageToken::new(LIST, [(place - base).to_string()]);
        Ok(page(connection, &sql, &parameters, limit, entry, token)?.map(|(_, entry)| entry))
    })
}

/// The records between two places, in order.
pub(super) const BY_PLACE: &str = "SELECT place, audit_id, ts, action, resource, outcome, actor_id, actor_type, \
                                   request_id, trace_id, span_id, reason FROM audit WHERE place > ?1 AND place < ?2 \
                                   ORDER BY place LIMIT ?3";

/// A record with its place, and about how many bytes it has.
pub(super) fn entry(row: &Row<'_>) -> rusqlite::Result<((i64, AuditEntry), usize)> {
    let resource: String = row.get(4)?;
    let weight = 256 + resource.len();
    let text = |index: usize| row.get_ref(index)?.as_str().map_err(rusqlite::Error::from);
    let entry = AuditEntry {
        audit_id: ulid(row, 1)?,
        ts: timestamp(row, 2)?,
        action: Cow::Owned(row.get(3)?),
        resource,
        outcome: match text(5)? {
            "done" => Outcome::Done,
            "refused" => Outcome::Refused,
            _ => return Err(bad(5)),
        },
        actor: actor(row, 6)?,
        request_id: text(8)?.into(),
        trace_id: text(9)?.parse().map_err(|_| bad(9))?,
        span_id: text(10)?.parse().map_err(|_| bad(10))?,
        reason: row.get_ref(11)?.as_str_or_null()?.map(Into::into),
    };
    Ok(((row.get(0)?, entry), weight))
}
