//! The store for the tests of this folder.

use std::sync::Arc;

use engines_core::Store;
use engines_storage::{SqliteOptions, SqliteStore};
use tempfile::TempDir;

/// The folder of the store.
#[derive(Debug)]
pub(crate) struct Kept(#[expect(dead_code, reason = "it is there while it lives")] TempDir);

pub(crate) fn open() -> (Arc<dyn Store>, Kept) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("identity.db"), SqliteOptions::default()).unwrap();
    (Arc::new(store), Kept(folder))
}
