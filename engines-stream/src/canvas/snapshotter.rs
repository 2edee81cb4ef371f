//! Decides when a writer stores a snapshot, and stores it in a separate task.

use std::sync::Arc;

use engines_core::Clock;
use serde_json::Value;
use tokio::task::JoinHandle;

use super::history::{CanvasHistory, StateAtRev};

/// Stores a snapshot each time the ops since the last one are larger than the state. So snapshots cost no more writing
/// than ops, and a cold start reads ops of about the state's size at most.
pub(super) struct Snapshotter {
    min_bytes: usize,
    pending: Option<(u64, Value)>,
    save_task: Option<JoinHandle<()>>,
}

impl Snapshotter {
    pub(super) fn new(min_bytes: usize) -> Self {
        Self { min_bytes, pending: None, save_task: None }
    }

    /// Copies the state if a snapshot is due. The state is not durable yet.
    pub(super) fn copy_if_due(&mut self, loaded: &mut StateAtRev) {
        let busy = self.save_task.as_ref().is_some_and(|task| !task.is_finished());
        if busy || self.pending.is_some() || loaded.tail_bytes < self.min_bytes.max(loaded.state.size()) {
            return;
        }
        self.pending = Some((loaded.rev, loaded.state.value().clone()));
        loaded.tail_bytes = 0;
    }

    /// To be called when `rev` is durable: if that is the copied revision, a separate task writes the snapshot.
    pub(super) fn save_if_copied(&mut self, rev: u64, history: &Arc<CanvasHistory>, clock: &dyn Clock) {
        let Some((_, state)) = self.pending.take_if(|(due, _)| *due == rev) else { return };
        let history = Arc::clone(history);
        let now = clock.now();
        self.save_task = Some(tokio::spawn(async move {
            if let Err(error) = history.save_snapshot(now, rev, state).await {
                tracing::warn!(canvas = %history.id, rev, %error, "a snapshot could not be kept; the log has everything");
            }
        }));
    }

    /// Discards a copy that will never be durable.
    pub(super) fn discard_pending(&mut self) {
        self.pending = None;
    }
}
