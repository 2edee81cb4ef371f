//! The implementation of [`Archive`](engines_core::nexus::archive::Archive).

use async_trait::async_trait;
use engines_core::{
    Code, Error, Result, Scope, Store, Timestamp,
    nexus::{
        Batch, Capabilities, CommitError, CommitReceipt,
        archive::{Archive, ArchiveRecord, Publication, ScopeSnapshot, StagedScope, StoreMark},
    },
};

use super::{archive::SqliteSnapshot, job::ArchiveWrite, queries, staged_name, store::SqliteStore};

const STAGE: &str = "sqlite.stage";

#[async_trait]
impl Archive for SqliteStore {
    async fn mark(&self) -> Result<StoreMark> {
        let feed_position = self.readers().run("sqlite.mark", queries::feed_position).await?;
        Ok(StoreMark { log_id: self.log_id(), feed_position })
    }

    async fn snapshot(&self, scope: &Scope) -> Result<Box<dyn ScopeSnapshot>> {
        Ok(Box::new(SqliteSnapshot::begin(self.shared(), self.options(), scope, false).await?))
    }

    async fn stage(&self, scope: &Scope, records: Vec<ArchiveRecord>, progress: &str) -> Result<(), CommitError> {
        let limits = self.capabilities();
        if records.iter().any(|record| !is_within_limits(record, &limits)) {
            let detail = "a record exceeds a limit of this backend";
            return Err(CommitError::Refused(Error::new(Code::BodyTooLarge, STAGE, detail)));
        }
        let size = records.iter().map(|record| record.size() + 256).sum();
        let step = ArchiveWrite::Stage { scope: scope.clone(), records, progress: progress.to_owned() };
        self.run_archive(scope, step, Batch::new(Timestamp::default()), size).await.map(drop)
    }

    async fn staged(&self) -> Result<Vec<StagedScope>> {
        let staged = self.readers().run("sqlite.staged", staged_name::all_staged).await?;
        Ok(staged.into_iter().map(|(scope, progress)| StagedScope { scope, progress }).collect())
    }

    async fn staged_snapshot(&self, scope: &Scope) -> Result<Box<dyn ScopeSnapshot>> {
        Ok(Box::new(SqliteSnapshot::begin(self.shared(), self.options(), scope, true).await?))
    }

    async fn publish(&self, publication: Publication) -> Result<CommitReceipt, CommitError> {
        let Publication { scopes, mark, batch } = publication;
        self.capabilities().check(&batch)?;
        let system = Scope::system().map_err(CommitError::Backend)?;
        self.run_archive(&system, ArchiveWrite::Publish { scopes, mark }, batch, 0).await
    }

    async fn discard(&self, scope: &Scope) -> Result<bool, CommitError> {
        let step = ArchiveWrite::Discard { scope: scope.clone() };
        self.run_archive(scope, step, Batch::new(Timestamp::default()), 0).await?;
        let (tenant, env) = (scope.tenant().clone(), staged_name::staged_env(scope));
        let look = move |connection: &rusqlite::Connection| staged_name::scope_number(connection, &tenant, &env);
        let left = self.readers().run("sqlite.discard", look).await.map_err(CommitError::Backend)?;
        Ok(left.is_some())
    }
}

/// Returns whether the record could have been written to this backend.
fn is_within_limits(record: &ArchiveRecord, limits: &Capabilities) -> bool {
    match record {
        ArchiveRecord::Document(document) => {
            document.body.get().len() <= limits.max_document_bytes && document.tags.len() <= limits.max_tags
        }
        ArchiveRecord::StreamEvent(_, event) => event.event.size() <= limits.max_event_bytes,
        _ => true,
    }
}
