//! Replays a canvas's stored commits and passes each stored snapshot on the way.

use engines_core::{
    Error, Result,
    command::SizedDocument,
    nexus::{DocumentQuery, PageRequest},
};

use super::history::{CanvasHistory, SNAPSHOT, StateAtRev, StoredSnapshot};

/// Snapshots read at a time; each is as large as the canvas.
const SNAPSHOTS_PER_PAGE: usize = 1;

/// The result of a replay.
pub(super) struct Replayed {
    /// The head.
    pub(super) head_rev: u64,
    /// The state that the commits give at the head.
    pub(super) state: SizedDocument,
    /// The number of commits that were applied.
    pub(super) commits: u64,
    /// The number of snapshots that were visited.
    pub(super) snapshots: u64,
}

/// Replays all stored commits, oldest first, and calls `visit` at each stored snapshot with the state that the commits
/// give there. The replay begins with the reducer's initial state. If retention has removed commits, it begins with the
/// first snapshot after them, which is not visited. `None` if there is no such snapshot.
///
/// # Errors
/// Those of `visit`; `INTERNAL` when a commit cannot be decoded or applied; failures of the store.
pub(super) async fn replay(
    history: &CanvasHistory,
    operation: &'static str,
    mut visit: impl FnMut(&StateAtRev, &StoredSnapshot) -> Result<()>,
) -> Result<Option<Replayed>> {
    let new_state = |value| SizedDocument::new(value).map_err(|fault| Error::internal(operation, fault));
    let ends = history.store.head(&history.scope, &history.key).await?;
    let head = ends.seq.0;
    let query = DocumentQuery::of_kind(SNAPSHOT)
        .tag(history.tag())
        .id_range(Some(history.snapshot_id(0)?), Some(history.snapshot_id(head)?));
    let mut current = StateAtRev { state: new_state(history.reducer.initial())?, rev: 0, tail_bytes: 0 };
    let mut started = ends.first.0 <= 1;
    let (mut commits, mut snapshots) = (0, 0);
    let mut page = PageRequest::first(SNAPSHOTS_PER_PAGE);
    loop {
        let found = history.store.query(&history.scope, &query, page).await?;
        for document in &found.items {
            let snapshot: StoredSnapshot = document.decode()?;
            if started {
                commits += snapshot.rev - current.rev;
                history.advance(&mut current, snapshot.rev).await?;
                visit(&current, &snapshot)?;
                snapshots += 1;
            } else if snapshot.rev + 1 >= ends.first.0 {
                // A snapshot that is older than the log cannot be compared.
                current = StateAtRev { state: new_state(snapshot.state)?, rev: snapshot.rev, tail_bytes: 0 };
                started = true;
            }
        }
        match found.next {
            Some(next) => page = PageRequest::after(SNAPSHOTS_PER_PAGE, next),
            None => break,
        }
    }
    if !started {
        return Ok(None);
    }
    commits += head - current.rev;
    history.advance(&mut current, head).await?;
    Ok(Some(Replayed { head_rev: head, state: current.state, commits, snapshots }))
}
