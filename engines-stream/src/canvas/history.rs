//! Reads a canvas's states from its log and its snapshots.

use std::sync::Arc;

use engines_core::{
    Batch, Code, DocId, Error, ResourceId, Result, Scope, Store, StreamEvent, StreamKey, Timestamp,
    command::{CommandLimits, Reducer, SizedDocument, apply_batch},
    nexus::{CommitError, DocumentKind, DocumentQuery, Expect, NewDocument, PageRequest, QueryOrder, StreamHead},
    stream::Seq,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::commit_event::CanvasCommit;
use crate::deletion::require_name_unused;

/// The kind of snapshot documents.
pub(super) const SNAPSHOT: DocumentKind = DocumentKind::from_static("canvas_snapshot");
/// Snapshots removed at a time; each is as large as the canvas.
const SNAPSHOTS_PER_STEP: usize = 8;
/// Events read at a time.
const EVENTS_PER_READ: u64 = 512;

/// One canvas's log and snapshots.
#[derive(Clone)]
pub(super) struct CanvasHistory {
    pub(super) store: Arc<dyn Store>,
    pub(super) reducer: Arc<dyn Reducer>,
    pub(super) scope: Scope,
    pub(super) id: ResourceId,
    pub(super) key: StreamKey,
}

/// A state and its origin.
pub(super) struct StateAtRev {
    /// The document.
    pub(super) state: SizedDocument,
    /// Its revision.
    pub(super) rev: u64,
    /// Bytes of ops applied since the snapshot the state was read from.
    pub(super) tail_bytes: usize,
}

impl StateAtRev {
    /// The state before anything is loaded.
    pub(super) fn empty() -> Self {
        Self { state: SizedDocument::default(), rev: 0, tail_bytes: 0 }
    }
}

/// The stored form of a snapshot.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredSnapshot {
    pub(super) rev: u64,
    pub(super) state: Value,
}

impl CanvasHistory {
    /// The durable head; `NOT_FOUND` for a deleted canvas.
    pub(super) async fn head(&self) -> Result<u64> {
        Ok(self.stream_head().await?.seq.0)
    }

    /// The head and the first event of the log; `NOT_FOUND` for a deleted canvas.
    pub(super) async fn stream_head(&self) -> Result<StreamHead> {
        let head = self.store.head(&self.scope, &self.key).await?;
        if head.deleted { Err(Error::not_found("canvas.log", "canvas")) } else { Ok(head) }
    }

    /// Reads the state at `rev`, which must not be beyond the head: the newest snapshot at or before it, then the log.
    pub(super) async fn state_at(&self, rev: u64) -> Result<StateAtRev> {
        let (value, at) = match self.snapshot_before(rev).await? {
            Some(stored) => (stored.state, stored.rev),
            None => (self.reducer.initial(), 0),
        };
        let state = SizedDocument::new(value).map_err(|fault| Error::internal("canvas.load", fault))?;
        let mut loaded = StateAtRev { state, rev: at, tail_bytes: 0 };
        self.advance(&mut loaded, rev).await?;
        Ok(loaded)
    }

    /// Advances a durable state to `rev`.
    pub(super) async fn advance(&self, loaded: &mut StateAtRev, rev: u64) -> Result<()> {
        while loaded.rev < rev {
            for event in self.events(loaded.rev, rev.min(loaded.rev + EVENTS_PER_READ)).await? {
                self.apply(loaded, &event)?;
            }
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Applies the next commit of the log.
    pub(super) fn apply(&self, loaded: &mut StateAtRev, event: &StreamEvent) -> Result<()> {
        let commit = CanvasCommit::from_event(event)?;
        apply_batch(&*self.reducer, &mut loaded.state, &commit.decode_ops()?, &CommandLimits::for_replay())
            .map_err(|error| Error::internal("canvas.replay", error))?;
        loaded.tail_bytes += commit.ops.get().len();
        loaded.rev = event.seq.0;
        Ok(())
    }

    /// Reads some commits after `after` from the next one on, in order and without gaps; at least one, none beyond
    /// `to`.
    pub(super) async fn events(&self, after: u64, to: u64) -> Result<Vec<StreamEvent>> {
        let limit = usize::try_from(to.saturating_sub(after)).unwrap_or(usize::MAX);
        let events = self.store.read(&self.scope, &self.key, Seq(after), limit).await?;
        let in_order = events.iter().zip(after + 1..).all(|(event, seq)| event.seq.0 == seq);
        if events.is_empty() || !in_order {
            let detail = "commits that this needs are gone; start from a newer revision";
            return Err(Error::new(Code::NotFound, "canvas.log", detail));
        }
        Ok(events)
    }

    async fn snapshot_before(&self, rev: u64) -> Result<Option<StoredSnapshot>> {
        let query = DocumentQuery::of_kind(SNAPSHOT)
            .tag(self.tag())
            .id_range(Some(self.snapshot_id(0)?), Some(self.snapshot_id(rev)?))
            .order(QueryOrder::IdDescending);
        let found = self.store.query(&self.scope, &query, PageRequest::first(1)).await?;
        found.items.first().map(|document| document.decode()).transpose()
    }

    /// Stores a snapshot of a durable state, so that later reads need not begin at the start.
    pub(super) async fn save_snapshot(&self, at: Timestamp, rev: u64, state: Value) -> Result<()> {
        let id = self.snapshot_id(rev)?;
        let document = NewDocument::new(SNAPSHOT, id, &StoredSnapshot { rev, state })?.tag(self.tag());
        let batch = Batch::new(at).put(document, Expect::Absent);
        match self.store.commit(&self.scope, require_name_unused(&*self.store, batch, &self.key)).await {
            // Another node has stored the same snapshot, or the canvas was deleted.
            Ok(_) | Err(CommitError::Precondition { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes all snapshots, or those of revisions before `rev`.
    pub(super) async fn remove_snapshots(&self, at: Timestamp, rev: Option<u64>) -> Result<()> {
        let last = rev.map(|rev| self.snapshot_id(rev.saturating_sub(1))).transpose()?;
        let query = DocumentQuery::of_kind(SNAPSHOT).tag(self.tag()).id_range(None, last);
        loop {
            let found = self.store.query(&self.scope, &query, PageRequest::first(SNAPSHOTS_PER_STEP)).await?.items;
            if found.is_empty() {
                return Ok(());
            }
            let batch =
                found.into_iter().fold(Batch::new(at), |batch, found| batch.delete(SNAPSHOT, found.id, Expect::Any));
            self.store.commit(&self.scope, batch).await?;
        }
    }

    /// The id of a snapshot. Ids of one canvas's snapshots sort by revision; the tag distinguishes canvases with
    /// similar ids.
    pub(super) fn snapshot_id(&self, rev: u64) -> Result<DocId> {
        DocId::new(format!("{}.{rev:020}", self.id))
    }

    pub(super) fn tag(&self) -> String {
        format!("canvas:{}", self.id)
    }
}
