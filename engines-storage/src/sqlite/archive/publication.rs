//! Publishes staged scopes.

use engines_core::{
    Code, Error, Scope,
    nexus::{CommitError, archive::StoreMark},
};
use rusqlite::{Connection, params};

use crate::sqlite::{
    error::{Refusal, SqliteFailure},
    scopes::AUDIT_BITS,
    staged_name,
};

const PUBLISH: &str = "sqlite.publish";

/// Checks that these scopes can be published: each is staged completely, and no scope with its name contains data.
pub(in crate::sqlite) fn check_publish(connection: &Connection, scopes: &[Scope]) -> Result<(), Refusal> {
    for scope in scopes {
        if let Some(id) = staged_name::scope_number(connection, scope.tenant(), scope.env().as_str())?
            && !is_empty(connection, id)?
        {
            return Err(refuse(Code::AlreadyExists, "the scope already contains data; choose another name"));
        }
        let whole = match staged_name::scope_number(connection, scope.tenant(), &staged_name::staged_env(scope))? {
            Some(id) => is_whole(connection, id)?,
            None => false,
        };
        if !whole {
            return Err(refuse(Code::NotFound, "the scope is not staged completely; restore it again"));
        }
    }
    Ok(())
}

/// Renames the rows. The caller has called [`check_publish`] in the same transaction.
pub(in crate::sqlite) fn publish(
    connection: &Connection,
    scopes: &[Scope],
    mark: Option<StoreMark>,
) -> Result<(), SqliteFailure> {
    for scope in scopes {
        let (tenant, env) = (scope.tenant().as_str(), scope.env().as_str());
        connection
            .prepare_cached("DELETE FROM scopes WHERE tenant = ?1 AND env = ?2")?
            .execute(params![tenant, env])?;
        connection.prepare_cached("UPDATE scopes SET env = ?2 WHERE tenant = ?1 AND env = ?3")?.execute(params![
            tenant,
            env,
            staged_name::staged_env(scope)
        ])?;
        connection.prepare_cached("DELETE FROM meta WHERE name = ?1")?.execute([staged_name::progress_name(scope)])?;
    }
    if let Some(StoreMark { log_id: log, feed_position: feed }) = mark {
        let text = format!("{:016x}", u64::from_be_bytes(log.to_bytes()));
        connection.prepare_cached("UPDATE meta SET value = ?1 WHERE name = 'log_id'")?.execute([text])?;
        let feed = i64::try_from(feed).unwrap_or(i64::MAX);
        let raise = "UPDATE sqlite_sequence SET seq = max(seq, ?1) WHERE name = 'dataset_events'";
        if connection.prepare_cached(raise)?.execute([feed])? == 0 {
            connection
                .prepare_cached("INSERT INTO sqlite_sequence (name, seq) VALUES ('dataset_events', ?1)")?
                .execute([feed])?;
        }
    }
    Ok(())
}

/// Returns whether a scope's row is all that exists of it.
fn is_empty(connection: &Connection, id: i64) -> Result<bool, SqliteFailure> {
    const SQL: &str = "SELECT EXISTS (SELECT 1 FROM documents WHERE scope_id = ?1) \
                       OR EXISTS (SELECT 1 FROM streams WHERE scope_id = ?1) \
                       OR EXISTS (SELECT 1 FROM dataset_events WHERE scope_id = ?1) \
                       OR EXISTS (SELECT 1 FROM audit WHERE rowkey > ?2 AND rowkey < ?3) \
                       OR EXISTS (SELECT 1 FROM once WHERE scope_id = ?1)";
    let base = id << AUDIT_BITS;
    let found: bool =
        connection.prepare_cached(SQL)?.query_row(params![id, base, base + (1 << AUDIT_BITS)], |row| row.get(0))?;
    Ok(!found)
}

/// Returns whether every stream has its last event. The events before it exist, because each was staged after the one
/// before.
fn is_whole(connection: &Connection, id: i64) -> Result<bool, SqliteFailure> {
    const SQL: &str = "SELECT EXISTS (SELECT 1 FROM streams s WHERE scope_id = ?1 AND head >= first \
                       AND NOT EXISTS (SELECT 1 FROM stream_events WHERE rowkey = (s.stream_id << 36 | s.head)))";
    let torn: bool = connection.prepare_cached(SQL)?.query_row([id], |row| row.get(0))?;
    Ok(!torn)
}

fn refuse(code: Code, detail: &'static str) -> Refusal {
    Refusal::Rejected(CommitError::Refused(Error::new(code, PUBLISH, detail)))
}
