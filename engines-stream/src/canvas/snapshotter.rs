//! When a writer keeps a snapshot, and how it does so out of everybody's way.

use std::sync::Arc;

use serde_json::Value;
use tokio::task::JoinHandle;

use super::{
    history::{CanvasHistory, StateAtRev},
    writer_pool::WriterContext,
};

/// Keeps a snapshot each time the ops since the last one outweigh the state, so that writing snapshots costs no
/// more than writing ops, and a cold start reads no more ops than about the state's size.
pub(super) struct Snapshotter {
    min_bytes: usize,
    pending: Option<(u64, Value)>,
    save_task: Option<JoinHandle<()>>,
}

impl Snapshotter {
    pub(super) fn new(least: usize) -> Self {
        Self { min_bytes: least, pending: None, save_task: None }
    }

    /// Copies the state if it is time to. It is not durable yet.
    pub(super) fn copy_if_due(&mut self, loaded: &mut StateAtRev) {
        let busy = self.save_task.as_ref().is_some_and(|task| !task.is_finished());
        if busy || self.pending.is_some() || loaded.tail_bytes < self.min_bytes.max(loaded.state.size()) {
            return;
        }
        self.pending = Some((loaded.rev, loaded.state.value().clone()));
        loaded.tail_bytes = 0;
    }

    /// `rev` is durable: if that is the revision copied, its state is written, by a task of its own.
    pub(super) fn save_if_copied(&mut self, rev: u64, history: &Arc<CanvasHistory>, common: &WriterContext) {
        let Some((_, state)) = self.pending.take_if(|(due, _)| *due == rev) else { return };
        let history = Arc::clone(history);
        let now = common.guard.clock().now();
        self.save_task = Some(tokio::spawn(async move {
            if let Err(error) = history.save_snapshot(now, rev, state).await {
                tracing::warn!(canvas = %history.id, rev, %error, "a snapshot could not be kept; the log has everything");
            }
        }));
    }

    /// Forgets a copy that will never be durable.
    pub(super) fn discard_pending(&mut self) {
        self.pending = None;
    }
}
