//! The order of the tasks that wait for room in a writer's queue.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Mutex, MutexGuard};

/// A first-come, first-served queue of tasks.
#[derive(Default)]
pub(super) struct FairQueue {
    waiting: AtomicUsize,
    front: Mutex<()>,
}

/// A slot in a [`FairQueue`], released when it is dropped.
pub(super) struct QueueSlot<'a>(&'a FairQueue);

impl FairQueue {
    /// Whether no task waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.load(Ordering::Acquire) == 0
    }

    /// Takes a slot.
    pub(super) fn join(&self) -> QueueSlot<'_> {
        self.waiting.fetch_add(1, Ordering::AcqRel);
        QueueSlot(self)
    }
}

impl QueueSlot<'_> {
    /// Waits until this slot is the first one.
    pub(super) async fn reach_front(&self) -> MutexGuard<'_, ()> {
        self.0.front.lock().await
    }
}

impl Drop for QueueSlot<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}
