//! The store for the tests of this folder.

use std::sync::Arc;

use engines_core::{IdGenerator, Store};
use engines_storage::MemoryStore;

/// This store leaves nothing to remove.
#[derive(Debug)]
pub(crate) struct Kept;

pub(crate) fn open() -> (Arc<dyn Store>, Kept) {
    (Arc::new(MemoryStore::new(&IdGenerator::seeded(1))), Kept)
}
