//! Rows of the table `audit`.

use engines_core::audit::{AuditEntry, AuditOutcome};
use rusqlite::{Statement, params};

use super::error::SqliteFailure;

/// Inserts a row; for [`insert`].
pub(super) const INSERT: &str = "INSERT INTO audit (rowkey, audit_id, ts, action, resource, outcome, actor_id, \
                                 actor_type, request_id, trace_id, span_id, reason) \
                                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";

/// Writes an entry with this primary key. `trace_id` and `span_id` are the text of the entry's ids.
pub(super) fn insert(
    statement: &mut Statement<'_>,
    rowkey: i64,
    entry: &AuditEntry,
    trace_id: &str,
    span_id: &str,
) -> Result<(), SqliteFailure> {
    statement.execute(params![
        rowkey,
        &*entry.audit_id.array_to_str(&mut [0; ulid::ULID_LEN]),
        entry.ts.as_millis(),
        entry.action,
        entry.resource,
        outcome_text(entry.outcome),
        entry.actor.id.as_str(),
        entry.actor.kind.as_str(),
        &*entry.request_id,
        trace_id,
        span_id,
        entry.reason.as_deref(),
    ])?;
    Ok(())
}

fn outcome_text(outcome: AuditOutcome) -> &'static str {
    match outcome {
        AuditOutcome::Done => "done",
        AuditOutcome::Refused => "refused",
    }
}
