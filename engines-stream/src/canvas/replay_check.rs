//! Checks that a canvas's log and its snapshots agree.

use engines_core::{Action, Code, Error, RequestContext, ResourceId, Result, command::state_hash};
use serde::Serialize;

use super::{
    replay::{Replayed, replay},
    service::CanvasService,
};

const OPERATION: &str = "canvas.check";

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
        let replayed = replay(&history, OPERATION, |state, snapshot| {
            if state_hash(state.state.value()) == state_hash(&snapshot.state) {
                return Ok(());
            }
            let detail = "the state that the log gives is not the one of the snapshot at this revision";
            Err(Error::new(Code::HashMismatch, OPERATION, detail)
                .with_member("canvas_id", id.as_str())
                .with_member("rev", snapshot.rev))
        });
        let Some(replayed) = replayed.await? else {
            let detail = "the commits of this canvas were removed and no snapshot replaces them";
            return Err(Error::new(Code::NotFound, OPERATION, detail).with_member("canvas_id", id.as_str()));
        };
        let Replayed { head_rev, state, commits, snapshots } = replayed;
        Ok(CanvasCheck { canvas_id: id.clone(), head_rev, commits, snapshots, state_hash: state_hash(state.value()) })
    }
}
