//! Deletion of canvases, and removal of old commits for retention.

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

/// The document kind that marks deleted canvases whose snapshots are still to be removed.
const DELETED_CANVAS: DocumentKind = DocumentKind::from_static("canvas_deleted");
/// The most deleted canvases that one call of [`CanvasService::finish_deletions`] handles.
const MAX_FINISHED_PER_CALL: usize = 20;

/// The body of a deleted canvas's marker.
#[derive(Serialize, Deserialize)]
struct DeletionMarker {}

impl CanvasService {
    /// Deletes a canvas permanently, with its commits, snapshots and artifacts. Only its creator and admins may do
    /// this. Its followers get a final in-band error, and its id is not reused. A concurrent command is either
    /// acknowledged before the deletion, and deleted too, or gets `NOT_FOUND`.
    ///
    /// # Errors
    /// `NOT_FOUND`; `ROLE_INSUFFICIENT` for other callers; the errors of all methods, see [`CanvasService`].
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
        // The snapshots are removed by further writes, because there may be any number of them. If that fails, the
        // retention worker removes them.
        if let Err(error) = self.finish_deletion(context, id).await {
            tracing::warn!(%error, "the snapshots of a deleted canvas could not be removed yet; it is tried again");
        }
        Ok(())
    }

    /// Removes the remaining data of deleted canvases. The retention worker calls it. Returns the number of canvases.
    ///
    /// # Errors
    /// `ROLE_INSUFFICIENT` except for trusted work in process; the errors of all methods, see [`CanvasService`].
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

    /// Removes the commits of a canvas that are older than `before`, oldest first, after storing a snapshot of the
    /// state they made. So the state can still be read at the last removed revision and at every later one. The
    /// retention worker calls it. Returns the number of commits.
    ///
    /// # Errors
    /// `ROLE_INSUFFICIENT` except for trusted work in process; the errors of all methods, see [`CanvasService`].
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
