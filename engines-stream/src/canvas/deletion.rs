//! Deleting canvases, and removing commits that are older than they are kept.

use engines_core::{
    Action, Batch, DocId, Error, RequestContext, ResourceId, Result, StreamKey, Timestamp,
    nexus::{DocumentKind, DocumentQuery, Expect, NewDocument, PageRequest},
    stream::Seq,
};
use serde::{Deserialize, Serialize};

use super::{
    model::CanvasBody,
    service::{CANVAS, CanvasService},
};
use crate::{deletion, retention};

/// Canvases that were deleted and whose snapshots are still to be removed.
const DELETED_CANVAS: DocumentKind = DocumentKind::from_static("canvas_deleted");
/// Deleted canvases looked at in one call of [`CanvasService::finish_deletions`].
const MAX_FINISHED_PER_CALL: usize = 20;

/// What is to be done for a deleted canvas.
#[derive(Serialize, Deserialize)]
struct DeletionMarker {}

impl CanvasService {
    /// Deletes a canvas with its commits, snapshots and artifacts for good, for whoever made it and for admins. Its followers get a last in-band
    /// error, and its id is not used again. A command that is sent at the same time is either acknowledged before, and deleted too, or gets
    /// `NOT_FOUND`.
    ///
    /// # Errors
    /// `NOT_FOUND`; `ROLE_INSUFFICIENT` for anybody else; refusals and failures of the guard and the store.
    pub async fn delete(&self, context: &RequestContext, id: &ResourceId) -> Result<()> {
        const DELETE_OPERATION: &str = "canvas.delete";
        let inner = &*self.inner;
        let history = self.history(context, id);
        let permit = inner.guard.admit(context, Action::CanvasDelete, history.key.as_str()).await?;
        let found = inner.store.get(&history.scope, &CANVAS, &DocId::from(id)).await?;
        let body: CanvasBody = found.ok_or_else(|| Error::not_found(DELETE_OPERATION, "canvas"))?.decode()?;
        deletion::require_creator_or_admin(&inner.guard, context, Action::CanvasDelete, &body.created_by)?;
        let batch = Batch::new(inner.guard.clock().now())
            .delete(CANVAS, id, Expect::Present)
            .put(NewDocument::new(DELETED_CANVAS, id, &DeletionMarker {})?, Expect::Any)
            .delete_stream(history.key.clone())
            .delete_stream(StreamKey::artifacts(id))
            .audit(permit.audit_entry(&inner.guard, context, history.key.as_str()));
        inner.store.commit(&history.scope, batch).await?;
        inner.existing.remove(&history.scope, id);
        // Its snapshots go with a second write, because there may be any number. If that fails, the worker makes up for it.
        if let Err(error) = self.finish_deletion(context, id).await {
            tracing::warn!(%error, "the snapshots of a deleted canvas could not be removed yet; it is tried again");
        }
        Ok(())
    }

    /// Removes what is left of deleted canvases; for the retention worker. Returns how many canvases there were.
    ///
    /// # Errors
    /// `ROLE_INSUFFICIENT` for anybody but trusted work in process; refusals and failures of the guard and the store.
    pub async fn finish_deletions(&self, context: &RequestContext) -> Result<usize> {
        let inner = &*self.inner;
        let _permit = inner.guard.admit(context, Action::RetentionApply, "canvas").await?;
        let found = inner
            .store
            .query(context.scope(), &DocumentQuery::of_kind(DELETED_CANVAS), PageRequest::first(MAX_FINISHED_PER_CALL))
            .await?
            .items;
        for document in &found {
            self.finish_deletion(context, &ResourceId::new(document.id.as_str())?).await?;
        }
        Ok(found.len())
    }

    async fn finish_deletion(&self, context: &RequestContext, id: &ResourceId) -> Result<()> {
        let inner = &*self.inner;
        self.history(context, id).remove_snapshots(inner.guard.clock().now(), None).await?;
        let batch = Batch::new(inner.guard.clock().now()).delete(DELETED_CANVAS, id, Expect::Any);
        inner.store.commit(context.scope(), batch).await?;
        Ok(())
    }

    /// Removes the commits of a canvas that are older than `before`, from the oldest on, once there is a snapshot of the state they made; for
    /// the retention worker. So the state can be read at the last removed revision and at every later one. Returns how many commits.
    ///
    /// # Errors
    /// `ROLE_INSUFFICIENT` for anybody but trusted work in process; refusals and failures of the guard and the store.
    pub async fn retain(&self, context: &RequestContext, id: &ResourceId, before: Timestamp) -> Result<u64> {
        let inner = &*self.inner;
        let history = self.history(context, id);
        let _permit = inner.guard.admit(context, Action::RetentionApply, history.key.as_str()).await?;
        let (store, scope, key) = (&*inner.store, &history.scope, &history.key);
        let head = store.head(scope, key).await?;
        let first = retention::first_kept_seq(store, scope, key, head, before).await?;
        if head.deleted || first <= head.first {
            return Ok(0);
        }
        let base = first.0 - 1;
        let loaded = history.state_at(base).await?;
        let now = inner.guard.clock().now();
        history.save_snapshot(now, base, loaded.state.into_value()).await?;
        let trimmed = retention::trim_stream(store, &inner.guard, scope, key, head, Seq(first.0)).await?;
        history.remove_snapshots(now, Some(base)).await?;
        Ok(trimmed)
    }
}
