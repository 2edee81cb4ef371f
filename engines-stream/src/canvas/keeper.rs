//! When a writer keeps a snapshot, and how it does so out of everybody's way.

use std::sync::Arc;

use serde_json::Value;
use tokio::task::JoinHandle;

use super::{
    busy::Common,
    history::{History, Loaded},
};

/// Keeps a snapshot each time the ops since the last one outweigh the state, so that writing snapshots costs no
/// more than writing ops, and a cold start reads no more ops than about the state's size.
pub(super) struct Keeper {
    least: usize,
    due: Option<(u64, Value)>,
    keeping: Option<JoinHandle<()>>,
}

impl Keeper {
    pub(super) fn new(least: usize) -> Self {
        Self { least, due: None, keeping: None }
    }

    /// Copies the state if it is time to. It is not durable yet.
    pub(super) fn look(&mut self, loaded: &mut Loaded) {
        let busy = self.keeping.as_ref().is_some_and(|task| !task.is_finished());
        if busy || self.due.is_some() || loaded.tail_bytes < self.least.max(loaded.state.size()) {
            return;
        }
        self.due = Some((loaded.rev, loaded.state.value().clone()));
        loaded.tail_bytes = 0;
    }

    /// `rev` is durable: if that is the revision copied, its state is written, by a task of its own.
    pub(super) fn durable(&mut self, rev: u64, history: &Arc<History>, common: &Common) {
        let Some((_, state)) = self.due.take_if(|(due, _)| *due == rev) else { return };
        let history = Arc::clone(history);
        let now = common.guard.clock().now();
        self.keeping = Some(tokio::spawn(async move {
            if let Err(error) = history.keep(now, rev, state).await {
                tracing::warn!(canvas = %history.id, rev, %error, "a snapshot could not be kept; the log has everything");
            }
        }));
    }

    /// Forgets a copy that will never be durable.
    pub(super) fn drop_due(&mut self) {
        self.due = None;
    }
}
