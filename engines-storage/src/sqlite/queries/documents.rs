//! Queries for the documents of a kind, by tag, id or time.

use engines_core::{
    DocId, Result, Scope,
    nexus::{Document, DocumentQuery, Page, PageRequest, PageToken, QueryOrder},
};
use rusqlite::Connection;

use super::page::{SqlParameters, cursor_invalid, empty_page, limit_plus_one, read_page, scope_id};
use crate::sqlite::{documents::read_row, error::SqliteFailure};

const BY_ID: &str = "documents.id";
const BY_TIME: &str = "documents.updated";

/// Where a page starts.
enum PageStart {
    First,
    AfterId(String),
    AfterTime(i64, String),
}

fn page_start(order: QueryOrder, page: &PageRequest) -> Result<PageStart> {
    let Some(text) = &page.after else { return Ok(PageStart::First) };
    let checked = |id: String| DocId::new(&id).map(|_| id).map_err(|_| cursor_invalid());
    Ok(match order {
        QueryOrder::IdAscending | QueryOrder::IdDescending => {
            let [id] = PageToken::decode(BY_ID, text)?;
            PageStart::AfterId(checked(id)?)
        }
        QueryOrder::UpdatedDescending => {
            let [millis, id] = PageToken::decode(BY_TIME, text)?;
            PageStart::AfterTime(millis.parse().map_err(|_| cursor_invalid())?, checked(id)?)
        }
    })
}

/// Returns a query that reads a page of documents. The token is checked now; the query runs on a reader.
pub(in crate::sqlite) fn document_page(
    scope: Scope,
    query: DocumentQuery,
    wanted: PageRequest,
) -> Result<impl FnOnce(&Connection) -> Result<Page<Document>, SqliteFailure>> {
    let start = page_start(query.order, &wanted)?;
    Ok(move |connection: &Connection| {
        let Some(scope_id) = scope_id(connection, &scope)? else { return Ok(empty_page()) };
        let limit = wanted.limit.max(1);
        let (sql, parameters) = statement(scope_id, &query, &start, limit);
        let token = |last: &Document| match query.order {
            QueryOrder::UpdatedDescending => {
                PageToken::new(BY_TIME, [last.updated_at.as_millis().to_string(), last.id.to_string()])
            }
            _ => PageToken::new(BY_ID, [last.id.to_string()]),
        };
        let item = |row: &rusqlite::Row<'_>| {
            let document = read_row(row, &query.kind)?.to_document();
            let weight = document.body.get().len();
            Ok((document, weight))
        };
        read_page(connection, &sql, &parameters, limit, item, token)
    })
}

fn statement(scope_id: i64, query: &DocumentQuery, start: &PageStart, limit: usize) -> (String, SqlParameters) {
    let mut parameters = SqlParameters::default();
    let scope = parameters.add(scope_id);
    let kind = parameters.add(query.kind.as_str().to_owned());
    // With tags, the index of the first one is scanned and determines the order. CROSS JOIN keeps SQLite from
    // exchanging the two tables.
    let lead = if query.tags.is_empty() { "d" } else { "t" };
    let mut sql = String::from("SELECT d.id, d.version, d.created_at, d.updated_at, d.tags, d.body FROM ");
    sql.push_str(match query.tags.is_empty() {
        true => "documents d",
        false => {
            "document_tags t CROSS JOIN documents d ON d.scope_id = t.scope_id AND d.kind = t.kind AND d.id = t.id"
        }
    });
    sql.push_str(&format!(" WHERE {lead}.scope_id = {scope} AND {lead}.kind = {kind}"));
    let mut tags = query.tags.iter();
    if let Some(first) = tags.next() {
        sql.push_str(&format!(" AND t.tag = {}", parameters.add(first.clone())));
    }
    for tag in tags {
        sql.push_str(&format!(
            " AND EXISTS (SELECT 1 FROM document_tags o WHERE o.scope_id = t.scope_id AND o.kind = t.kind \
             AND o.tag = {} AND o.id = t.id)",
            parameters.add(tag.clone())
        ));
    }
    for (bound, sign) in [(&query.from_id, ">="), (&query.to_id, "<=")] {
        if let Some(id) = bound {
            sql.push_str(&format!(" AND {lead}.id {sign} {}", parameters.add(id.as_str().to_owned())));
        }
    }
    match start {
        PageStart::First => {}
        PageStart::AfterId(id) => {
            let sign = if query.order == QueryOrder::IdAscending { ">" } else { "<" };
            sql.push_str(&format!(" AND {lead}.id {sign} {}", parameters.add(id.clone())));
        }
        PageStart::AfterTime(millis, id) => {
            let (millis, id) = (parameters.add(*millis), parameters.add(id.clone()));
            sql.push_str(&format!(" AND ({lead}.updated_at, {lead}.id) < ({millis}, {id})"));
        }
    }
    sql.push_str(&match query.order {
        QueryOrder::IdAscending => format!(" ORDER BY {lead}.id"),
        QueryOrder::IdDescending => format!(" ORDER BY {lead}.id DESC"),
        QueryOrder::UpdatedDescending => format!(" ORDER BY {lead}.updated_at DESC, {lead}.id DESC"),
    });
    sql.push_str(&format!(" LIMIT {}", parameters.add(limit_plus_one(limit))));
    (sql, parameters)
}
