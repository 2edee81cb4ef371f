//! The wakers of subscribers. A subscriber registers once and stays registered, so that waking a thousand of them takes
//! one lock.

use std::{
    sync::{Mutex, PoisonError},
    task::Waker,
};

#[derive(Debug, Default)]
pub(crate) struct WakerSet(Mutex<WakerSlots>);

#[derive(Debug, Default)]
struct WakerSlots {
    slots: Vec<Option<Waker>>,
    free: Vec<usize>,
}

impl WakerSet {
    /// Reserves a slot for one subscriber.
    pub(crate) fn reserve_slot(&self) -> usize {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.free.pop().unwrap_or_else(|| {
            inner.slots.push(None);
            inner.slots.len() - 1
        })
    }

    /// Sets the waker of a slot. It stays until it is replaced or the slot is released.
    pub(crate) fn set_waker(&self, slot: usize, waker: Waker) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let old = inner.slots.get_mut(slot).and_then(|place| place.replace(waker));
        drop(inner);
        drop(old);
    }

    /// Releases a slot.
    pub(crate) fn release_slot(&self, slot: usize) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let old = inner.slots.get_mut(slot).and_then(Option::take);
        inner.free.push(slot);
        drop(inner);
        drop(old);
    }

    pub(crate) fn wake_all(&self) {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for waker in inner.slots.iter().flatten() {
            waker.wake_by_ref();
        }
    }
}
