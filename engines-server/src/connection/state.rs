//! What a connection holds of the budgets.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use crate::limits::{AddressUsage, WorkGuard};

/// What a connection holds of the budgets, as its requests know it.
#[derive(Debug)]
pub(crate) struct ConnectionState {
    /// What the peer's address uses; `None` for trusted proxies, behind which there are many clients.
    pub(crate) usage: Option<Arc<AddressUsage>>,
    authenticated: AtomicBool,
    /// The place among the connections without an authenticated request.
    anonymous: Mutex<Option<WorkGuard>>,
}

impl ConnectionState {
    pub(super) fn new(usage: Option<Arc<AddressUsage>>, anonymous: Option<WorkGuard>) -> Self {
        Self { usage, authenticated: AtomicBool::new(anonymous.is_none()), anonymous: Mutex::new(anonymous) }
    }

    /// Notes that a request came with a good credential; the connection gives way to no other from now on.
    pub(crate) fn mark_authenticated(&self) {
        if !self.authenticated.swap(true, Ordering::Relaxed) {
            drop(self.anonymous.lock().unwrap_or_else(PoisonError::into_inner).take());
        }
    }
}
