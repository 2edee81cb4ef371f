//! Reads a canvas, its state at any revision, and its commits.

use engines_core::{
    Action, Code, DocId, Error, RequestContext, ResourceId, Result, Timestamp, command::state_hash, nexus::Page,
};
use serde_json::Value;

use super::{
    commit_event::CanvasCommit,
    history::CanvasHistory,
    model::{Canvas, CanvasBody, CanvasReplay, CanvasSnapshot, CommitEntry, Keyframe},
    service::{CANVAS, CanvasService},
};

/// A larger state is hashed on a thread for blocking work.
const LARGE_STATE_BYTES: usize = 256 << 10;

impl CanvasService {
    /// Returns one canvas with its head.
    ///
    /// # Errors
    /// `NOT_FOUND`; the errors of all methods, see [`CanvasService`].
    pub async fn get(&self, context: &RequestContext, id: &ResourceId) -> Result<Canvas> {
        let history = self.history(context, id);
        let _permit = self.inner.guard.admit(context, Action::CanvasRead, history.key.as_str()).await?;
        let found = history.store.get(&history.scope, &CANVAS, &DocId::from(id)).await?;
        let document = found.ok_or_else(|| Error::not_found("canvas.read", "canvas"))?;
        let head = history.head().await?;
        Ok(Canvas::from_body(id.clone(), head, document.created_at, document.decode()?))
    }

    /// Returns the state at `rev`, or at the head.
    ///
    /// # Errors
    /// `NOT_FOUND` for an unknown canvas, a revision beyond the head (with `head_rev`) or one whose commits were
    /// removed; the errors of all methods, see [`CanvasService`].
    pub async fn snapshot(
        &self,
        context: &RequestContext,
        id: &ResourceId,
        rev: Option<u64>,
    ) -> Result<CanvasSnapshot> {
        let (history, head) = self.open_history(context, id, "canvas.snapshot").await?;
        let rev = rev.unwrap_or(head);
        if rev > head {
            return Err(beyond_head("canvas.snapshot", head));
        }
        let loaded = history.state_at(rev).await?;
        let size = loaded.state.size();
        let (state, state_hash) = hash_state(loaded.state.into_value(), size).await?;
        Ok(CanvasSnapshot { canvas_id: id.clone(), rev, state, state_hash })
    }

    /// Returns the commits after `after_rev`, one page at a time; `next` is the `after_rev` of the next page. With 0 it
    /// begins with the oldest commit that is stored.
    ///
    /// # Errors
    /// `NOT_FOUND`; `REPLAY_MISS` (with `head_rev` and `snapshot_ref`) when the commits after `after_rev` were removed;
    /// the errors of all methods, see [`CanvasService`].
    pub async fn commits(
        &self,
        context: &RequestContext,
        id: &ResourceId,
        after_rev: u64,
        limit: usize,
    ) -> Result<Page<CommitEntry>> {
        let (history, _) = self.open_history(context, id, "canvas.commits").await?;
        let limit = limit.clamp(1, self.inner.limits.page_max);
        let ends = history.stream_head().await?;
        let (head, mut at) = (ends.seq.0, after_rev);
        if at < ends.first.0.saturating_sub(1) {
            if at > 0 {
                let detail = "the commits after this revision are gone; start from the snapshot";
                return Err(Error::new(Code::ReplayMiss, "canvas.commits", detail)
                    .with_member("head_rev", head)
                    .with_member("snapshot_ref", history.snapshot_ref(head)));
            }
            at = ends.first.0 - 1;
        }
        let last = head.min(at.saturating_add(u64::try_from(limit).unwrap_or(u64::MAX)));
        let mut items = Vec::new();
        while at < last {
            for event in history.events(at, last).await? {
                at = event.seq.0;
                items.push(CommitEntry::from_event(&event)?);
            }
        }
        let next = (at < head && !items.is_empty()).then(|| at.to_string());
        Ok(Page { items, next })
    }

    /// Returns a range of the history: the state at `from_rev` (default: 0, or the oldest revision that can still be
    /// read), every commit after it up to `to_rev` (default and maximum: the head), and the state there. If that is too
    /// large for one answer, the range ends earlier and has a `next`.
    ///
    /// # Errors
    /// `BODY_INVALID` when `to_rev` is before `from_rev`; otherwise as [`CanvasService::snapshot`].
    pub async fn replay(
        &self,
        context: &RequestContext,
        id: &ResourceId,
        from_rev: Option<u64>,
        to_rev: Option<u64>,
    ) -> Result<CanvasReplay> {
        let (history, _) = self.open_history(context, id, "canvas.replay").await?;
        let ends = history.stream_head().await?;
        let head = ends.seq.0;
        let from = from_rev.unwrap_or(ends.first.0.saturating_sub(1));
        if from > head {
            return Err(beyond_head("canvas.replay", head));
        }
        let to = to_rev.unwrap_or(head).min(head);
        if to < from {
            return Err(Error::invalid_body("canvas.replay", "to_rev", "to_rev must not be before from_rev"));
        }
        let settings = &self.inner.settings;
        let most = from.saturating_add(u64::try_from(settings.replay_commits.max(1)).unwrap_or(u64::MAX));
        let mut loaded = history.state_at(from).await?;
        let mut keyframes = vec![keyframe(&loaded).await?];
        let (mut commits, mut bytes) = (Vec::new(), 0);
        'stretch: while loaded.rev < to.min(most) {
            for event in history.events(loaded.rev, to.min(most)).await? {
                let commit = CommitEntry::from_event(&event)?;
                bytes += commit.ops.get().len();
                if bytes > settings.replay_bytes && !commits.is_empty() {
                    break 'stretch;
                }
                history.apply(&mut loaded, &event)?;
                commits.push(commit);
            }
        }
        if loaded.rev > from {
            keyframes.push(keyframe(&loaded).await?);
        }
        let next = (loaded.rev < to).then_some(loaded.rev);
        Ok(CanvasReplay { canvas_id: id.clone(), from_rev: from, to_rev: loaded.rev, keyframes, commits, next })
    }

    /// Admits a reader; returns the canvas's history and its durable head.
    async fn open_history(
        &self,
        context: &RequestContext,
        id: &ResourceId,
        operation: &'static str,
    ) -> Result<(CanvasHistory, u64)> {
        let history = self.history(context, id);
        let _permit = self.inner.guard.admit(context, Action::CanvasRead, history.key.as_str()).await?;
        self.inner.existing.require_exists(&*history.store, &history.scope, id, operation).await?;
        let head = history.head().await?;
        Ok((history, head))
    }
}

fn beyond_head(operation: &'static str, head: u64) -> Error {
    Error::new(Code::NotFound, operation, "there is no such revision yet").with_member("head_rev", head)
}

async fn keyframe(loaded: &super::history::StateAtRev) -> Result<Keyframe> {
    let (state, state_hash) = hash_state(loaded.state.value().clone(), loaded.state.size()).await?;
    Ok(Keyframe { rev: loaded.rev, state, state_hash })
}

async fn hash_state(state: Value, size: usize) -> Result<(Value, String)> {
    let hash = |state: Value| {
        let hash = state_hash(&state);
        (state, hash)
    };
    if size < LARGE_STATE_BYTES {
        return Ok(hash(state));
    }
    tokio::task::spawn_blocking(move || hash(state)).await.map_err(|error| Error::internal("canvas.hash", error))
}

impl Canvas {
    pub(super) fn from_body(canvas_id: ResourceId, head_rev: u64, created_at: Timestamp, body: CanvasBody) -> Self {
        let CanvasBody { workspace_id, project_id, meta, created_by } = body;
        Self { canvas_id, head_rev, workspace_id, project_id, meta, created_by, created_at }
    }
}

impl CommitEntry {
    fn from_event(event: &engines_core::StreamEvent) -> Result<Self> {
        let commit = CanvasCommit::from_event(event)?;
        let made = &event.event;
        Ok(Self {
            rev: event.seq.0,
            commit_id: commit.commit_id,
            event_id: made.event_id,
            base_rev: commit.base_rev,
            ops: commit.ops.to_owned(),
            command_id: commit.command_id,
            actor_id: made.actor.id.clone(),
            actor_type: made.actor.kind,
            ts: made.ts,
            intent: commit.intent,
        })
    }
}
