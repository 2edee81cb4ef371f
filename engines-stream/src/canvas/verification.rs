//! Compares a canvas's snapshots with its log.

use std::sync::Arc;

use engines_core::{
    Error, ResourceId, Result, Scope, Store, StreamKey,
    command::{JsonReducer, SizedDocument, state_hash},
    nexus::{DocumentQuery, PageRequest, QueryOrder},
};

use super::history::{CanvasHistory, SNAPSHOT, StateAtRev, StoredSnapshot};

/// The most snapshots of one canvas that are compared; the newest ones.
const MAX_COMPARED_SNAPSHOTS: usize = 500;

/// The result of verifying one canvas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanvasVerification {
    /// The canvas's head.
    pub head_rev: u64,
    /// The number of revisions that were replayed.
    pub played: u64,
    /// The number of snapshots that were compared with the replayed state.
    pub compared: usize,
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
    let ends = store.head(scope, &history.key).await?;
    let query = DocumentQuery::of_kind(SNAPSHOT).tag(history.tag()).order(QueryOrder::IdDescending);
    let found = store.query(scope, &query, PageRequest::first(MAX_COMPARED_SNAPSHOTS)).await?.items;
    let mut snapshots = found.iter().map(|document| document.decode::<StoredSnapshot>()).collect::<Result<Vec<_>>>()?;
    snapshots.sort_by_key(|snapshot| snapshot.rev);
    let mut loaded = StateAtRev::empty();
    let (mut compared, mut differing, mut begun) = (0, Vec::new(), ends.first.0 <= 1);
    if begun {
        loaded.state = new_state(history.reducer.initial())?;
    }
    let begin = loaded.rev;
    let mut played = 0;
    for snapshot in snapshots.into_iter().filter(|snapshot| snapshot.rev <= ends.seq.0) {
        if !begun {
            if snapshot.rev + 1 >= ends.first.0 {
                (loaded.rev, begun) = (snapshot.rev, true);
                loaded.state = new_state(snapshot.state)?;
            }
            continue;
        }
        played += snapshot.rev - loaded.rev;
        history.advance(&mut loaded, snapshot.rev).await?;
        compared += 1;
        if state_hash(loaded.state.value()) != state_hash(&snapshot.state) {
            differing.push(snapshot.rev);
        }
    }
    if !begun && ends.seq.0 > begin {
        let detail = "its first commits are gone, and no snapshot is kept behind them";
        return Err(Error::internal("canvas.verify", detail));
    }
    played += ends.seq.0 - loaded.rev;
    history.advance(&mut loaded, ends.seq.0).await?;
    let head = history.state_at(ends.seq.0).await?;
    let state = state_hash(head.state.value());
    if state != state_hash(loaded.state.value()) && !differing.contains(&ends.seq.0) {
        differing.push(ends.seq.0);
    }
    Ok(CanvasVerification { head_rev: ends.seq.0, played, compared, differing, state_hash: state })
}

fn new_state(value: serde_json::Value) -> Result<SizedDocument> {
    SizedDocument::new(value).map_err(|fault| Error::internal("canvas.verify", fault))
}
