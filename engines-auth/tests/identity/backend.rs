//! The store the tests of this folder run on.

use std::sync::Arc;

use engines_core::{IdGenerator, Store};
use engines_storage::MemoryStore;

/// Nothing is left of it.
#[derive(Debug)]
pub(crate) struct Kept;

pub(crate) fn open() -> (Arc<dyn Store>, Kept) {
    (Arc::new(MemoryStore::new(&IdGenerator::seeded(1))), Kept)
}
