//! The budgets that a connection holds.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use crate::limits::{AddressUsage, WorkGuard};

/// The budgets that a connection holds, shared with its requests.
#[derive(Debug)]
pub(crate) struct ConnectionState {
    /// The usage of the peer's address. `None` for trusted proxies, which have many clients.
    pub(crate) usage: Option<Arc<AddressUsage>>,
    authenticated: AtomicBool,
    /// The place among the connections without an authenticated request.
    anonymous: Mutex<Option<WorkGuard>>,
}

impl ConnectionState {
    pub(super) fn new(usage: Option<Arc<AddressUsage>>, anonymous: Option<WorkGuard>) -> Self {
        Self { usage, authenticated: AtomicBool::new(anonymous.is_none()), anonymous: Mutex::new(anonymous) }
    }

    /// Records that a request had a valid credential. From now on, the connection is not evicted.
    pub(crate) fn mark_authenticated(&self) {
        if !self.authenticated.swap(true, Ordering::Relaxed) {
            drop(self.anonymous.lock().unwrap_or_else(PoisonError::into_inner).take());
        }
    }
}
