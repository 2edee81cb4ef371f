//! Names in the rows of a staged scope.

use engines_core::{Env, Scope, TenantId};
use rusqlite::{Connection, OptionalExtension, params};

use super::error::SqliteFailure;

/// Suffix of the environment of a staged scope; no environment name ends with it.
const STAGED_SUFFIX: &str = "~staged";
/// Prefix of the name of the `meta` row that stores the progress of staging a scope.
const PROGRESS_PREFIX: &str = "staged:";

/// Returns the environment name of a staged scope.
pub(super) fn staged_env(scope: &Scope) -> String {
    format!("{}{STAGED_SUFFIX}", scope.env())
}

/// Returns the environment name that a row's scope has, or will have once it is published.
pub(super) fn public_env(env: &str) -> &str {
    env.strip_suffix(STAGED_SUFFIX).unwrap_or(env)
}

/// Returns whether readers may see this row.
pub(super) fn is_public(env: &str) -> bool {
    !env.ends_with(STAGED_SUFFIX)
}

/// Returns the name of the `meta` row that stores the progress of staging a scope.
pub(super) fn progress_name(scope: &Scope) -> String {
    format!("{PROGRESS_PREFIX}{}", scope.prefix())
}

/// Returns the number of a scope's row, if it exists.
pub(super) fn scope_number(
    connection: &Connection,
    tenant: &TenantId,
    env: &str,
) -> Result<Option<i64>, SqliteFailure> {
    let mut statement = connection.prepare_cached("SELECT scope_id FROM scopes WHERE tenant = ?1 AND env = ?2")?;
    Ok(statement.query_row(params![tenant.as_str(), env], |row| row.get(0)).optional()?)
}

/// Returns the staged scopes with the progress of each.
pub(super) fn all_staged(connection: &Connection) -> Result<Vec<(Scope, String)>, SqliteFailure> {
    const SQL: &str = "SELECT name, value FROM meta WHERE name >= ?1 AND name < ?2 ORDER BY name";
    let mut statement = connection.prepare_cached(SQL)?;
    // `;` is the character after `:`, so the range contains all names with the prefix.
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
