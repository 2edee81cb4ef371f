//! Shared parts of paged queries: parameters, limits of a page, and continuation tokens.

use engines_core::{
    Code, Error, Result, Scope,
    nexus::{Page, PageRequest, PageToken},
};
use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};

use crate::sqlite::error::SqliteFailure;

/// Maximum bytes of content in one page; a page contains at least one item. A shorter page has a continuation token.
const PAGE_BYTES: usize = 32 << 20;

/// The numbered parameters of a generated statement.
#[derive(Default)]
pub(super) struct SqlParameters(Vec<Box<dyn ToSql>>);

impl SqlParameters {
    /// Adds a value and returns its placeholder.
    pub(super) fn add(&mut self, value: impl ToSql + 'static) -> String {
        self.0.push(Box::new(value));
        format!("?{}", self.0.len())
    }

    /// Returns the values to bind.
    pub(super) fn values(&self) -> impl rusqlite::Params + '_ {
        rusqlite::params_from_iter(&self.0)
    }
}

/// Reads up to `limit` items, and one more to find out whether there are more.
pub(super) fn read_page<T>(
    connection: &Connection,
    sql: &str,
    parameters: &SqlParameters,
    limit: usize,
    item: impl Fn(&Row<'_>) -> rusqlite::Result<(T, usize)>,
    token: impl Fn(&T) -> PageToken,
) -> Result<Page<T>, SqliteFailure> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(parameters.values())?;
    let (mut items, mut size, mut more) = (Vec::new(), 0, false);
    while let Some(row) = rows.next()? {
        let (item, weight) = item(row)?;
        size += weight;
        if items.len() == limit || (size > PAGE_BYTES && !items.is_empty()) {
            more = true;
            break;
        }
        items.push(item);
    }
    let next = items.last().filter(|_| more).map(|last| token(last).encode());
    Ok(Page { items, next })
}

/// Returns `limit + 1` as an SQL integer.
pub(super) fn limit_plus_one(limit: usize) -> i64 {
    i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX)
}

/// Returns the scope's number, if the scope has a row.
pub(super) fn scope_id(connection: &Connection, scope: &Scope) -> Result<Option<i64>, SqliteFailure> {
    let found = connection
        .prepare_cached("SELECT scope_id FROM scopes WHERE tenant = ?1 AND env = ?2")?
        .query_row(params![scope.tenant().as_str(), scope.env().as_str()], |row| row.get(0))
        .optional()?;
    Ok(found)
}

/// Returns the number after which a page of `list` starts; 0 for the first page.
pub(super) fn resume_number(list: &'static str, page: &PageRequest) -> Result<i64> {
    let Some(text) = &page.after else { return Ok(0) };
    let [number] = PageToken::decode(list, text)?;
    number.parse().ok().filter(|number| *number >= 0).ok_or_else(cursor_invalid)
}

pub(super) fn cursor_invalid() -> Error {
    Error::new(Code::CursorInvalid, "sqlite.page", "the cursor is malformed; use `next` unchanged")
}

pub(super) fn empty_page<T>() -> Page<T> {
    Page { items: Vec::new(), next: None }
}
