//! What the row of a staged scope is called.

use engines_core::{Env, Scope, TenantId};
use rusqlite::{Connection, OptionalExtension, params};

use crate::sqlite::error::SqliteFailure;

/// Behind the environment of a staged scope; no environment ends like that.
const STAGED_SUFFIX: &str = "~staged";
/// Before the scope in the name of a row of `meta` that holds how far the scope was staged.
const PROGRESS_PREFIX: &str = "staged:";

/// The environment of a staged scope.
pub(super) fn staged_env(scope: &Scope) -> String {
    format!("{}{STAGED_SUFFIX}", scope.env())
}

/// The environment that a row's scope has, or will have once it is published.
pub(in crate::sqlite) fn public_env(env: &str) -> &str {
    env.strip_suffix(STAGED_SUFFIX).unwrap_or(env)
}

/// Whether readers may find this row.
pub(in crate::sqlite) fn is_public(env: &str) -> bool {
    !env.ends_with(STAGED_SUFFIX)
}

/// The name of the row of `meta` that holds how far a scope was staged.
pub(super) fn progress_name(scope: &Scope) -> String {
    format!("{PROGRESS_PREFIX}{}", scope.prefix())
}

/// The number of a row, if there is one.
pub(super) fn scope_number(
    connection: &Connection,
    tenant: &TenantId,
    env: &str,
) -> Result<Option<i64>, SqliteFailure> {
    let mut statement = connection.prepare_cached("SELECT scope_id FROM scopes WHERE tenant = ?1 AND env = ?2")?;
    Ok(statement.query_row(params![tenant.as_str(), env], |row| row.get(0)).optional()?)
}

/// The staged scopes and how far each was staged.
pub(super) fn all_staged(connection: &Connection) -> Result<Vec<(Scope, String)>, SqliteFailure> {
    const SQL: &str = "SELECT name, value FROM meta WHERE name >= ?1 AND name < ?2 ORDER BY name";
    let mut statement = connection.prepare_cached(SQL)?;
    // `;` comes after `:`.
    let mut rows = statement.query([PROGRESS_PREFIX, "staged;"])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        let parts = name.strip_prefix(PROGRESS_PREFIX).and_then(|prefix| prefix.split_once('/'));
        let scope =
            parts.and_then(|(tenant, env)| Some(Scope::new(TenantId::new(tenant).ok()?, env.parse::<Env>().ok()?)));
        found.extend(scope.map(|scope| Ok::<_, rusqlite::Error>((scope, row.get(1)?))).transpose()?);
    }
    Ok(found)
}
