//! The archive side of the store.

use async_trait::async_trait;
use engines_core::{
    Code, Error, Result, Scope, Store, Timestamp,
    nexus::{
        Batch, Capabilities, CommitError, Page, Paged, Receipt,
        archive::{Archive, Publication, Record, Snapshot, Staged, StoreMark},
    },
};

use super::{Step, name, snapshot::SqliteSnapshot};
use crate::sqlite::{read, store::SqliteStore};

const STAGE: &str = "sqlite.stage";

#[async_trait]
impl Archive for SqliteStore {
    async fn mark(&self) -> Result<StoreMark> {
        let feed = self.readers().run("sqlite.mark", read::feed_position).await?;
        Ok(StoreMark { log: self.log_id(), feed })
    }

    async fn scopes(&self, page: Page) -> Result<Paged<Scope>> {
        self.readers().run("sqlite.scopes", read::scopes(page)?).await
    }

    async fn snapshot(&self, scope: &Scope) -> Result<Box<dyn Snapshot>> {
        Ok(Box::new(SqliteSnapshot::begin(self.shared(), self.options(), scope, false).await?))
    }

    async fn stage(&self, scope: &Scope, records: Vec<Record>, progress: &str) -> Result<(), CommitError> {
        let limits = self.capabilities();
        if records.iter().any(|record| !within(record, &limits)) {
            let detail = "a record is larger than this backend takes";
            return Err(CommitError::Refused(Error::new(Code::BodyTooLarge, STAGE, detail)));
        }
        let size = records.iter().map(|record| record.size() + 256).sum();
        let step = Step::Stage { scope: scope.clone(), records, progress: progress.to_owned() };
        self.run_archive(scope, step, Batch::new(Timestamp::default()), size).await.map(drop)
    }

    async fn staged(&self) -> Result<Vec<Staged>> {
        let staged = self.readers().run("sqlite.staged", name::all_staged).await?;
        Ok(staged.into_iter().map(|(scope, progress)| Staged { scope, progress }).collect())
    }

    async fn staged_snapshot(&self, scope: &Scope) -> Result<Box<dyn Snapshot>> {
        Ok(Box::new(SqliteSnapshot::begin(self.shared(), self.options(), scope, true).await?))
    }

    async fn publish(&self, publication: Publication) -> Result<Receipt, CommitError> {
        let Publication { scopes, mark, batch } = publication;
        batch.check(&self.capabilities())?;
        let system = Scope::system().map_err(CommitError::Backend)?;
        self.run_archive(&system, Step::Publish { scopes, mark }, batch, 0).await
    }

    async fn discard(&self, scope: &Scope) -> Result<bool, CommitError> {
        let step = Step::Discard { scope: scope.clone() };
        self.run_archive(scope, step, Batch::new(Timestamp::default()), 0).await?;
        let (tenant, env) = (scope.tenant().clone(), name::staged_env(scope));
        let look = move |connection: &rusqlite::Connection| name::number(connection, &tenant, &env);
        let left = self.readers().run("sqlite.discard", look).await.map_err(CommitError::Backend)?;
        Ok(left.is_some())
    }
}

/// Whether a record could have been written to this backend.
fn within(record: &Record, limits: &Capabilities) -> bool {
    match record {
        Record::Document(document) => {
            document.body.get().len() <= limits.max_document_bytes && document.tags.len() <= limits.max_tags
        }
        Record::StreamEvent(_, event) => event.event.size() <= limits.max_event_bytes,
        _ => true,
    }
}
