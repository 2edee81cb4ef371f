//! What the hub, its feeds and its subscriptions share.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64},
};

use engines_core::{Limits, Store, nexus::Relay};

/// The backends and limits of a hub, whether it is closed, and its counters.
pub(super) struct HubShared {
    pub(super) store: Arc<dyn Store>,
    pub(super) relay: Arc<dyn Relay>,
    pub(super) limits: Arc<Limits>,
    pub(super) closed: AtomicBool,
    pub(super) counters: HubCounters,
}

#[derive(Debug, Default)]
pub(super) struct HubCounters {
    pub(super) subscribers: AtomicU64,
    pub(super) dropped_ephemeral: AtomicU64,
    pub(super) fell_behind: AtomicU64,
}
