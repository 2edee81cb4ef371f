//! A canvas's past, read from its log and its snapshots.

use std::sync::Arc;

use engines_core::{
    Batch, Code, DocId, Error, ResourceId, Result, Scope, Store, StreamEvent, StreamKey, Timestamp,
    command::{CommandLimits, Reducer, State, apply_batch},
    nexus::{CommitError, Expect, Head, Kind, NewDocument, Order, Page, Query},
    stream::Seq,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::record::CanvasCommit;
use crate::deletion::unless_deleted;

/// The family of snapshot documents.
pub(super) const SNAPSHOT: Kind = Kind::known("canvas_snapshot");
/// Snapshots removed at a time; each is as large as the canvas.
const SNAPSHOTS: usize = 8;
/// Events read at a time.
const CHUNK: u64 = 512;

/// One canvas's log and snapshots.
#[derive(Clone)]
pub(super) struct History {
    pub(super) store: Arc<dyn Store>,
    pub(super) reducer: Arc<dyn Reducer>,
    pub(super) scope: Scope,
    pub(super) id: ResourceId,
    pub(super) key: StreamKey,
}

/// A state and how it came to be.
pub(super) struct Loaded {
    /// The document.
    pub(super) state: State,
    /// Its revision.
    pub(super) rev: u64,
    /// Bytes of ops since the snapshot it was read from.
    pub(super) tail_bytes: usize,
}

impl Loaded {
    /// Before anything is loaded.
    pub(super) fn nothing() -> Self {
        Self { state: State::default(), rev: 0, tail_bytes: 0 }
    }
}

/// A snapshot as it is stored.
#[derive(Serialize, Deserialize)]
pub(super) struct Stored {
    pub(super) rev: u64,
    pub(super) state: Value,
}

impl History {
    /// The durable head; `NOT_FOUND` for a canvas that was deleted.
    pub(super) async fn head(&self) -> Result<u64> {
        Ok(self.ends().await?.seq.0)
    }

    /// Both ends of the log; `NOT_FOUND` for a canvas that was deleted.
    pub(super) async fn ends(&self) -> Result<Head> {
        let head = self.store.head(&self.scope, &self.key).await?;
        if head.deleted { Err(Error::not_found("canvas.log", "canvas")) } else { Ok(head) }
    }

    /// The state at `rev`, which must not be beyond the head: the newest snapshot before it, then the log.
    pub(super) async fn state_at(&self, rev: u64) -> Result<Loaded> {
        let (value, at) = match self.snapshot_before(rev).await? {
            Some(stored) => (stored.state, stored.rev),
            None => (self.reducer.initial(), 0),
        };
        let state = State::new(value).map_err(|fault| Error::internal("canvas.load", fault))?;
        let mut loaded = Loaded { state, rev: at, tail_bytes: 0 };
        self.advance(&mut loaded, rev).await?;
        Ok(loaded)
    }

    /// Brings a durable state on to `rev`.
    pub(super) async fn advance(&self, loaded: &mut Loaded, rev: u64) -> Result<()> {
        while loaded.rev < rev {
            for event in self.events(loaded.rev, rev.min(loaded.rev + CHUNK)).await? {
                self.apply(loaded, &event)?;
            }
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Applies the next commit of the log.
    pub(super) fn apply(&self, loaded: &mut Loaded, event: &StreamEvent) -> Result<()> {
        let commit = CanvasCommit::of(event)?;
        apply_batch(&*self.reducer, &mut loaded.state, &commit.decode_ops()?, &CommandLimits::replay())
            .map_err(|error| Error::internal("canvas.replay", error))?;
        loaded.tail_bytes += commit.ops.get().len();
        loaded.rev = event.seq.0;
        Ok(())
    }

    /// Some commits after `after`, from the next one on, in order and without holes; at least one, none beyond `to`.
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

    async fn snapshot_before(&self, rev: u64) -> Result<Option<Stored>> {
        let query = Query::kind(SNAPSHOT)
            .tag(self.tag())
            .ids(Some(self.snapshot_id(0)?), Some(self.snapshot_id(rev)?))
            .order(Order::IdDescending);
        let found = self.store.query(&self.scope, &query, Page::first(1)).await?;
        found.items.first().map(|document| document.decode()).transpose()
    }

    /// Keeps a durable state, so that later reads need not begin at the start.
    pub(super) async fn keep(&self, at: Timestamp, rev: u64, state: Value) -> Result<()> {
        let id = self.snapshot_id(rev)?;
        let document = NewDocument::new(SNAPSHOT, id, &Stored { rev, state })?.tag(self.tag());
        let batch = Batch::new(at).put(document, Expect::Absent);
        match self.store.commit(&self.scope, unless_deleted(&*self.store, batch, &self.key)).await {
            // Another node has kept the same, or the canvas was deleted.
            Ok(_) | Err(CommitError::Precondition { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes all snapshots, or those of revisions before `rev`.
    pub(super) async fn remove_snapshots(&self, at: Timestamp, rev: Option<u64>) -> Result<()> {
        let last = rev.map(|rev| self.snapshot_id(rev.saturating_sub(1))).transpose()?;
        let query = Query::kind(SNAPSHOT).tag(self.tag()).ids(None, last);
        loop {
            let found = self.store.query(&self.scope, &query, Page::first(SNAPSHOTS)).await?.items;
            if found.is_empty() {
                return Ok(());
            }
            let batch =
                found.into_iter().fold(Batch::new(at), |batch, found| batch.delete(SNAPSHOT, found.id, Expect::Any));
            self.store.commit(&self.scope, batch).await?;
        }
    }

    /// Ids of one canvas's snapshots sort by revision; the tag tells two canvases apart whose ids are alike.
    pub(super) fn snapshot_id(&self, rev: u64) -> Result<DocId> {
        DocId::new(format!("{}.{rev:020}", self.id))
    }

    pub(super) fn tag(&self) -> String {
        format!("canvas:{}", self.id)
    }
}
