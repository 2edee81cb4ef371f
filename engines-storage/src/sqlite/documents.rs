//! Documents in the data file: their rows and tags.

use std::sync::Arc;

use engines_core::{
    DocId, Scope, Timestamp,
    nexus::{Document, DocumentKind, NewDocument},
};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    error::SqliteFailure,
    streams::{column_error, read_json, read_timestamp, read_u64},
};

/// The key of a document.
pub(super) type DocumentName = (Scope, DocumentKind, DocId);

/// A cached document. It is shared; a copy is made only for a caller.
#[derive(Debug, Clone)]
pub(super) struct CachedDocument {
    pub(super) version: u64,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    pub(super) document: Arc<NewDocument>,
}

impl CachedDocument {
    /// Returns a copy for a caller.
    pub(super) fn to_document(&self) -> Document {
        let NewDocument { kind, id, tags, body } = NewDocument::clone(&self.document);
        let Self { version, created_at, updated_at, .. } = *self;
        Document { kind, id, version, created_at, updated_at, tags, body }
    }
}

/// Loads a document's row, if it exists.
pub(super) fn load(
    connection: &Connection,
    (scope, kind, id): &DocumentName,
) -> Result<Option<CachedDocument>, SqliteFailure> {
    const SQL: &str = "SELECT id, version, created_at, updated_at, tags, body \
                       FROM documents JOIN scopes USING (scope_id) \
                       WHERE tenant = ?1 AND env = ?2 AND kind = ?3 AND id = ?4";
    let found = connection
        .prepare_cached(SQL)?
        .query_row(params![scope.tenant().as_str(), scope.env().as_str(), kind.as_str(), id.as_str()], |row| {
            read_row(row, kind)
        })
        .optional()?;
    Ok(found)
}

/// Reads a row with the columns `id, version, created_at, updated_at, tags, body`.
pub(super) fn read_row(row: &Row<'_>, kind: &DocumentKind) -> rusqlite::Result<CachedDocument> {
    let document = NewDocument {
        kind: kind.clone(),
        id: DocId::new(row.get_ref(0)?.as_str()?).map_err(|_| column_error(0))?,
        tags: serde_json::from_str(row.get_ref(4)?.as_str()?).map_err(|_| column_error(4))?,
        body: read_json(row.get(5)?, 5)?,
    };
    Ok(CachedDocument {
        version: read_u64(row, 1)?,
        created_at: read_timestamp(row, 2)?,
        updated_at: read_timestamp(row, 3)?,
        document: Arc::new(document),
    })
}

/// Inserts or replaces a document; returns the new one.
pub(super) fn put(
    connection: &Connection,
    scope_id: i64,
    old: Option<&CachedDocument>,
    document: &Arc<NewDocument>,
    tags: &str,
    at: Timestamp,
) -> Result<CachedDocument, SqliteFailure> {
    const INSERT: &str = "INSERT INTO documents (scope_id, kind, id, version, created_at, updated_at, tags, body) \
                          VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    const UPDATE: &str = "UPDATE documents SET version = ?4, created_at = ?5, updated_at = ?6, tags = ?7, body = ?8 \
                          WHERE scope_id = ?1 AND kind = ?2 AND id = ?3";
    let stored = CachedDocument {
        version: old.map_or(0, |old| old.version) + 1,
        created_at: old.map_or(at, |old| old.created_at),
        updated_at: at,
        document: Arc::clone(document),
    };
    let (kind, id) = (document.kind.as_str(), document.id.as_str());
    connection.prepare_cached(if old.is_some() { UPDATE } else { INSERT })?.execute(params![
        scope_id,
        kind,
        id,
        i64::try_from(stored.version).unwrap_or(i64::MAX),
        stored.created_at.as_millis(),
        at.as_millis(),
        tags,
        document.body.get(),
    ])?;
    if let Some(old) = old {
        delete_tags(connection, scope_id, old)?;
    }
    const TAG: &str =
        "INSERT OR IGNORE INTO document_tags (scope_id, kind, tag, id, updated_at) VALUES (?1, ?2, ?3, ?4, ?5)";
    for tag in &document.tags {
        connection.prepare_cached(TAG)?.execute(params![scope_id, kind, tag, id, at.as_millis()])?;
    }
    Ok(stored)
}

/// Deletes a document's row and tags.
pub(super) fn delete(connection: &Connection, scope_id: i64, old: &CachedDocument) -> Result<(), SqliteFailure> {
    connection
        .prepare_cached("DELETE FROM documents WHERE scope_id = ?1 AND kind = ?2 AND id = ?3")?
        .execute(params![scope_id, old.document.kind.as_str(), old.document.id.as_str()])?;
    delete_tags(connection, scope_id, old)
}

fn delete_tags(connection: &Connection, scope_id: i64, old: &CachedDocument) -> Result<(), SqliteFailure> {
    const SQL: &str = "DELETE FROM document_tags WHERE scope_id = ?1 AND kind = ?2 AND tag = ?3 AND id = ?4";
    for tag in &old.document.tags {
        let (kind, id) = (old.document.kind.as_str(), old.document.id.as_str());
        connection.prepare_cached(SQL)?.execute(params![scope_id, kind, tag, id])?;
    }
    Ok(())
}
