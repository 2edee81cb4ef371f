//! The implementation of [`Archive`] for [`MemoryStore`].

use async_trait::async_trait;
use engines_core::{
    Code, Error, Result, Scope, Store,
    nexus::{
        CommitError, CommitReceipt, StoreChange,
        archive::{Archive, ArchiveRecord, Publication, ScopeCounters, ScopeSnapshot, StagedScope, StoreMark},
    },
};

use super::{archive::MemorySnapshot, sizes::ITEM_OVERHEAD_BYTES, store::MemoryStore};

const STAGE: &str = "memory.stage";
const PUBLISH: &str = "memory.publish";

#[async_trait]
impl Archive for MemoryStore {
    async fn mark(&self) -> Result<StoreMark> {
        Ok(StoreMark { log_id: self.log_id(), feed_position: self.state().last_position })
    }

    async fn snapshot(&self, scope: &Scope) -> Result<Box<dyn ScopeSnapshot>> {
        Ok(Box::new(MemorySnapshot::from_scope(self.state().scope_data(scope), ScopeCounters::default())))
    }

    async fn stage(&self, scope: &Scope, records: Vec<ArchiveRecord>, progress: &str) -> Result<(), CommitError> {
        let limits = self.capabilities();
        if records.iter().any(|record| !is_within_limits(record, &limits)) {
            let detail = "a record exceeds a limit of this backend";
            return Err(CommitError::Refused(Error::new(Code::BodyTooLarge, STAGE, detail)));
        }
        let grows: usize = records.iter().map(|record| ITEM_OVERHEAD_BYTES + record.size()).sum();
        let mut state = self.state_mut();
        let bytes = state.bytes;
        let staging = state.staged.entry(scope.clone()).or_default();
        if bytes.saturating_add(grows).saturating_add(staging.gap_bytes(&records)) > self.total_bytes() {
            return Err(CommitError::Backend(Error::unavailable(STAGE, "the memory store is full")));
        }
        for record in records {
            if let Err(detail) = staging.add(record) {
                // Some records are staged, and the rest cannot follow: discard the scope, so that it can be restored
                // again.
                let freed = staging.bytes;
                state.staged.remove(scope);
                state.bytes = state.bytes.saturating_sub(freed);
                return Err(CommitError::Refused(Error::new(Code::BodyInvalid, STAGE, detail)));
            }
        }
        progress.clone_into(&mut staging.progress);
        state.bytes += grows;
        Ok(())
    }

    async fn staged(&self) -> Result<Vec<StagedScope>> {
        let state = self.state();
        let staged = state.staged.iter();
        Ok(staged.map(|(scope, of)| StagedScope { scope: scope.clone(), progress: of.progress.clone() }).collect())
    }

    async fn staged_snapshot(&self, scope: &Scope) -> Result<Box<dyn ScopeSnapshot>> {
        let state = self.state();
        let staging = state.staged.get(scope);
        let counted = staging.map(|staging| staging.counters).unwrap_or_default();
        Ok(Box::new(MemorySnapshot::from_scope(staging.map(|staging| &staging.data), counted)))
    }

    async fn publish(&self, publication: Publication) -> Result<CommitReceipt, CommitError> {
        let Publication { scopes, mark, batch } = publication;
        self.capabilities().check(&batch)?;
        let system = Scope::system().map_err(CommitError::Backend)?;
        let refuse = |code, detail| Err(CommitError::Refused(Error::new(code, PUBLISH, detail)));
        let mut guard = self.state_mut();
        let state = &mut *guard;
        for scope in &scopes {
            if state.scopes.get(scope).is_some_and(|space| !space.is_empty()) {
                return refuse(Code::AlreadyExists, "the scope already contains data; choose another name");
            }
            let Some(staging) = state.staged.get(scope).filter(|staging| staging.is_whole()) else {
                return refuse(Code::NotFound, "the scope is not staged completely; restore it again");
            };
            if staging.data.events.iter().any(|(_, position)| state.feed.contains_key(&position)) {
                return refuse(Code::AlreadyExists, "a position of the feed is in use; restore without positions");
            }
        }
        // The scopes are moved before the batch is committed, so that the batch finds them published. The batch may
        // still be refused; the move is then undone.
        let staged: Vec<_> = scopes.iter().filter_map(|scope| state.staged.remove_entry(scope)).collect();
        let mut positions = Vec::new();
        for (scope, staging) in &staged {
            for (event, position) in staging.data.events.iter().filter(|(_, position)| *position > 0) {
                let place = usize::try_from(event.seq.0.saturating_sub(1)).unwrap_or(usize::MAX);
                state.feed.insert(position, (scope.clone(), place));
                positions.push(position);
            }
        }
        let replaced: Vec<_> = staged
            .into_iter()
            .map(|(scope, mut staging)| {
                let mut space = std::mem::take(&mut staging.data);
                space.events.skip_to(staging.counters.events.0);
                if space.audit.is_empty() {
                    space.audit_removed = usize::try_from(staging.counters.audit).unwrap_or(usize::MAX);
                }
                let old = state.scopes.insert(scope.clone(), space);
                (scope, staging, old)
            })
            .collect();
        let committed = match batch.is_empty() {
            true => Ok((CommitReceipt::default(), Vec::new())),
            false => state.commit(&system, &system, batch, self.total_bytes()),
        };
        let receipt = match committed {
            Ok((receipt, _)) => receipt,
            Err(error) => {
                for position in positions {
                    state.feed.remove(&position);
                }
                for (scope, mut staging, old) in replaced {
                    if let Some(space) = state.scopes.remove(&scope) {
                        staging.data = space;
                    }
                    state.scopes.extend(old.map(|old| (scope.clone(), old)));
                    state.staged.insert(scope, staging);
                }
                return Err(error);
            }
        };
        let highest = state.feed.last_key_value().map_or(0, |(position, _)| *position);
        state.last_position = state.last_position.max(highest);
        if let Some(StoreMark { log_id: log, feed_position: feed }) = mark {
            state.last_position = state.last_position.max(feed);
            self.set_log_id(log);
        }
        self.notify(StoreChange::Lagged);
        Ok(receipt)
    }

    async fn discard(&self, scope: &Scope) -> Result<bool, CommitError> {
        let mut state = self.state_mut();
        if let Some(staging) = state.staged.remove(scope) {
            state.bytes = state.bytes.saturating_sub(staging.bytes);
        }
        Ok(false)
    }
}

/// Returns whether the record could have been written to this backend.
fn is_within_limits(record: &ArchiveRecord, limits: &engines_core::nexus::Capabilities) -> bool {
    match record {
        ArchiveRecord::Document(document) => {
            document.body.get().len() <= limits.max_document_bytes && document.tags.len() <= limits.max_tags
        }
        ArchiveRecord::StreamEvent(_, event) => event.event.size() <= limits.max_event_bytes,
        _ => true,
    }
}
