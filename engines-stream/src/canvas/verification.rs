//! Compares a canvas's snapshots with its log.

use std::sync::Arc;

use engines_core::{
    Error, ResourceId, Result, Scope, Store, StreamKey,
    command::{JsonReducer, state_hash},
};

use super::{
    history::CanvasHistory,
    replay::{Replayed, replay},
};

const OPERATION: &str = "canvas.verify";

/// The result of verifying one canvas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanvasVerification {
    /// The canvas's head.
    pub head_rev: u64,
    /// The number of revisions that were replayed.
    pub played: u64,
    /// The number of snapshots that were compared with the replayed state.
    pub compared: u64,
    /// The revisions whose snapshot differs from the replayed state.
    pub differing: Vec<u64>,
    /// SHA-256 of the state at the head, as readers get it.
    pub state_hash: String,
}

/// Replays a canvas's stored commits, oldest first, and compares the state with each stored snapshot on the way. If
/// retention has removed commits, the replay begins with the first snapshot after them.
///
/// # Errors
/// `INTERNAL` when a commit cannot be decoded or applied; failures of the store.
pub async fn verify_canvas(store: Arc<dyn Store>, scope: &Scope, id: &ResourceId) -> Result<CanvasVerification> {
    let history = CanvasHistory {
        store: Arc::clone(&store),
        reducer: Arc::new(JsonReducer),
        scope: scope.clone(),
        id: id.clone(),
        key: StreamKey::canvas(id),
    };
    let mut differing = Vec::new();
    let replayed = replay(&history, OPERATION, |state, snapshot| {
        if state_hash(state.state.value()) != state_hash(&snapshot.state) {
            differing.push(snapshot.rev);
        }
        Ok(())
    });
    let Some(Replayed { head_rev, state, commits, snapshots }) = replayed.await? else {
        let detail = "its first commits are gone, and no snapshot is kept behind them";
        return Err(Error::internal(OPERATION, detail));
    };
    let head = history.state_at(head_rev).await?;
    let read_hash = state_hash(head.state.value());
    if read_hash != state_hash(state.value()) && !differing.contains(&head_rev) {
        differing.push(head_rev);
    }
    Ok(CanvasVerification { head_rev, played: commits, compared: snapshots, differing, state_hash: read_hash })
}
