//! Checks that a canvas's log and its snapshots agree.

use engines_core::{
    Action, Code, Error, RequestContext, ResourceId, Result,
    command::{SizedDocument, state_hash},
    nexus::{DocumentQuery, PageRequest},
};
use serde::Serialize;

use super::{
    history::{SNAPSHOT, StateAtRev, StoredSnapshot},
    service::CanvasService,
};

const OPERATION: &str = "canvas.check";
/// Snapshots read at a time.
const SNAPSHOTS_PER_PAGE: usize = 1;

/// The result of a [`CanvasService::check`] that found no difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CanvasCheck {
    /// The canvas.
    pub canvas_id: ResourceId,
    /// The newest revision.
    pub head_rev: u64,
    /// The number of commits that were replayed.
    pub commits: u64,
    /// The number of snapshots whose hashes were compared with that of the replayed state.
    pub snapshots: u64,
    /// SHA-256 (hex) of the state at the head in RFC 8785 form.
    pub state_hash: String,
}

impl CanvasService {
    /// Replays all stored commits, from the beginning or from the oldest snapshot, and compares the state's hash with
    /// that of every snapshot on the way.
    ///
    /// The time is proportional to the length of the log; memory holds the state and some commits.
    ///
    /// # Errors
    /// `HASH_MISMATCH` (with `rev`) at the first snapshot that differs; `NOT_FOUND`; `INTERNAL` when a commit cannot be
    /// decoded or applied; the errors of all methods, see [`CanvasService`].
    pub async fn check(&self, context: &RequestContext, id: &ResourceId) -> Result<CanvasCheck> {
        let history = self.history(context, id);
        let _permit = self.inner.guard.admit(context, Action::CanvasRead, history.key.as_str()).await?;
        self.inner.existing.require_exists(&*history.store, &history.scope, id, OPERATION).await?;
        let ends = history.store.head(&history.scope, &history.key).await?;
        let head = ends.seq.0;
        let query = DocumentQuery::of_kind(SNAPSHOT)
            .tag(history.tag())
            .id_range(Some(history.snapshot_id(0)?), Some(history.snapshot_id(head)?));
        let initial =
            || SizedDocument::new(history.reducer.initial()).map_err(|fault| Error::internal(OPERATION, fault));
        let mut loaded = StateAtRev { state: initial()?, rev: 0, tail_bytes: 0 };
        let mut started = ends.first.0 <= 1;
        let (mut commits, mut snapshots) = (0, 0);
        let mut page = PageRequest::first(SNAPSHOTS_PER_PAGE);
        loop {
            let found = history.store.query(&history.scope, &query, page).await?;
            for document in &found.items {
                let kept: StoredSnapshot = document.decode()?;
                if !started {
                    // Retention removed the commits before this snapshot. A snapshot that is older than the log cannot
                    // be compared.
                    if kept.rev + 1 >= ends.first.0 {
                        let state =
                            SizedDocument::new(kept.state).map_err(|fault| Error::internal(OPERATION, fault))?;
                        loaded = StateAtRev { state, rev: kept.rev, tail_bytes: 0 };
                        started = true;
                    }
                    continue;
                }
                commits += kept.rev - loaded.rev;
                history.advance(&mut loaded, kept.rev).await?;
                if state_hash(loaded.state.value()) != state_hash(&kept.state) {
                    let detail = "the state that the log gives is not the one of the snapshot at this revision";
                    return Err(Error::new(Code::HashMismatch, OPERATION, detail)
                        .with_member("canvas_id", id.as_str())
                        .with_member("rev", kept.rev));
                }
                snapshots += 1;
            }
            match found.next {
                Some(next) => page = PageRequest::after(SNAPSHOTS_PER_PAGE, next),
                None => break,
            }
        }
        if !started {
            let detail = "the commits of this canvas were removed and no snapshot replaces them";
            return Err(Error::new(Code::NotFound, OPERATION, detail).with_member("canvas_id", id.as_str()));
        }
        commits += head - loaded.rev;
        history.advance(&mut loaded, head).await?;
        let state_hash = state_hash(loaded.state.value());
        Ok(CanvasCheck { canvas_id: id.clone(), head_rev: head, commits, snapshots, state_hash })
    }
}
