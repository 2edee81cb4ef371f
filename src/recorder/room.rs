//! How many bytes wait.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// The bytes that are free.
#[derive(Debug, Clone)]
pub(super) struct Free(Arc<AtomicUsize>);

/// Bytes that somebody has; free again when it is dropped.
#[derive(Debug)]
pub(super) struct Room {
    of: Free,
    bytes: usize,
}

impl Free {
    pub(super) fn new(bytes: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(bytes)))
    }

    /// Takes some, if there are so many.
    pub(super) fn take(&self, bytes: usize) -> Option<Room> {
        let taken = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, |free| free.checked_sub(bytes));
        taken.ok().map(|_| Room { of: self.clone(), bytes })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.of.0.fetch_add(self.bytes, Ordering::AcqRel);
    }
}
