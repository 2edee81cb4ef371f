//! A limit on the bytes of waiting events.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// The free bytes.
#[derive(Debug, Clone)]
pub(super) struct ByteBudget(Arc<AtomicUsize>);

/// Bytes that are in use; dropping it frees them.
#[derive(Debug)]
pub(super) struct BytePermit {
    budget: ByteBudget,
    bytes: usize,
}

impl ByteBudget {
    pub(super) fn new(bytes: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(bytes)))
    }

    /// Takes bytes if enough are free.
    pub(super) fn try_acquire(&self, bytes: usize) -> Option<BytePermit> {
        let taken = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, |free| free.checked_sub(bytes));
        taken.ok().map(|_| BytePermit { budget: self.clone(), bytes })
    }
}

impl Drop for BytePermit {
    fn drop(&mut self) {
        self.budget.0.fetch_add(self.bytes, Ordering::AcqRel);
    }
}
