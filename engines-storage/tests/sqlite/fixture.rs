//! Helpers of the tests of the SQLite store.

use std::path::PathBuf;

use engines_core::{
    Env, IdGenerator, RequestContext, Role, Scope, StreamKey, Timestamp,
    audit::{AuditEntry, AuditOutcome},
    nexus::{Batch, DocumentKind, ExpectedHead, NewDocument},
    stream::{NewEvent, Seq},
    testing,
};
use engines_storage::{SqliteOptions, SqliteStore};
use serde_json::value::RawValue;

pub(crate) const NOTE: DocumentKind = DocumentKind::from_static("note");

/// A folder with a store's file, and helpers that make batches.
pub(crate) struct SqliteFixture {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) scope: Scope,
    pub(crate) context: RequestContext,
    pub(crate) ids: IdGenerator,
}

impl SqliteFixture {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            scope: testing::scope("t_acme", Env::Dev).unwrap(),
            context: testing::context("t_acme", "ada", Role::Member).unwrap(),
            ids: IdGenerator::seeded(1),
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("engines.db")
    }

    pub(crate) fn open(&self) -> SqliteStore {
        SqliteStore::open(self.path(), SqliteOptions::default()).unwrap()
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_secs(1_770_000_000)
    }

    pub(crate) fn event(&self, data: &str) -> NewEvent {
        let data = RawValue::from_string(data.to_owned()).unwrap();
        NewEvent::new(self.ids.ulid(self.now()), self.now(), "canvas_commit", &self.context, data)
    }

    pub(crate) fn append(&self, key: &StreamKey, expected: ExpectedHead, data: &str) -> Batch {
        Batch::new(self.now()).append(key.clone(), expected, vec![self.event(data)]).audit(self.audit(key.as_str()))
    }

    pub(crate) fn after(&self, key: &StreamKey, head: u64) -> Batch {
        self.append(key, ExpectedHead::Seq(Seq(head)), r#"{"op":"add"}"#)
    }

    pub(crate) fn audit(&self, resource: &str) -> AuditEntry {
        AuditEntry::new(
            self.ids.ulid(self.now()),
            self.now(),
            &self.context,
            "canvas.command",
            resource,
            AuditOutcome::Done,
        )
    }

    pub(crate) fn note(&self, id: &str, body: &str) -> NewDocument {
        NewDocument {
            kind: NOTE,
            id: id.parse().unwrap(),
            tags: vec!["all".to_owned()],
            body: RawValue::from_string(body.to_owned()).unwrap(),
        }
    }
}

pub(crate) fn canvas(id: &str) -> StreamKey {
    format!("canvas/{id}").parse().unwrap()
}
