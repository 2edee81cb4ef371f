//! The commit of a batch: every precondition is checked first; then the writes are applied, which cannot fail.

use std::collections::{BTreeMap, HashMap};

use engines_core::{
    Code, Error, Scope,
    nexus::{
        AppendReceipt, Batch, CommitError, CommitReceipt, EventOutcome, Expect, ExpectedHead, FailedPrecondition,
        FeedItem, Idempotency, Partition, StoreChange, StreamHead, Write,
    },
    stream::{Seq, StreamKey},
};

use super::{
    archive::StagedScopeData,
    receipts::receipt_size,
    scope_data::{ScopeData, StreamLog},
    sizes::ITEM_OVERHEAD_BYTES,
};

/// The data of a memory store.
#[derive(Default)]
pub(super) struct MemoryState {
    pub(super) scopes: HashMap<Scope, ScopeData>,
    /// Scopes that are being restored. Readers do not see them.
    pub(super) staged: BTreeMap<Scope, StagedScopeData>,
    /// The events of every scope, without removed ones, by feed position in commit order: scope and index in the
    /// scope.
    pub(super) feed: BTreeMap<u64, (Scope, usize)>,
    /// The last feed position that was assigned.
    pub(super) last_position: u64,
    pub(super) bytes: usize,
}

impl MemoryState {
    pub(super) fn scope_data(&self, scope: &Scope) -> Option<&ScopeData> {
        self.scopes.get(scope)
    }

    pub(super) fn feed(&self, position: u64, limit: usize) -> Vec<FeedItem> {
        let Some(from) = position.checked_add(1) else { return Vec::new() };
        self.feed
            .range(from..)
            .filter_map(|(position, (scope, place))| {
                let event = self.scopes.get(scope)?.events.get(*place)?;
                Some(FeedItem { position: *position, scope: scope.clone(), event: event.clone() })
            })
            .take(limit)
            .collect()
    }

    pub(super) fn receipt(&self, scope: &Scope, once: &Idempotency) -> Option<&(CommitReceipt, [u8; 32])> {
        self.scope_data(scope)?.receipts.get(once)
    }

    /// Commits `batch`, which must be within the limits of one batch. Returns the change notifications to send.
    pub(super) fn commit(
        &mut self,
        scope: &Scope,
        system: &Scope,
        batch: Batch,
        total_bytes: usize,
    ) -> Result<(CommitReceipt, Vec<StoreChange>), CommitError> {
        if let Some(once) = batch.idempotency()
            && let Some((receipt, fingerprint)) = self.receipt(scope, once)
        {
            if *fingerprint != once.fingerprint {
                return Err(CommitError::IdempotencyMismatch);
            }
            return Ok((CommitReceipt { replayed: true, ..receipt.clone() }, Vec::new()));
        }
        for (index, write) in batch.writes().iter().enumerate() {
            if let Some(failed) = self.failed_precondition(scope, system, write) {
                return Err(CommitError::Precondition { index, failed });
            }
            self.check_trim(scope, write)?;
        }
        let grows = estimated_bytes(&batch);
        if grows > 0 && self.bytes.saturating_add(grows) > total_bytes {
            return Err(CommitError::Backend(storage_full()));
        }
        self.bytes += grows;
        let (at, once, writes) = batch.into_parts();
        let mut receipt = CommitReceipt::default();
        let mut touched = StreamChanges::default();
        for write in writes {
            self.apply(scope, system, at, write, &mut receipt, &mut touched);
        }
        if let Some(once) = once {
            receipt.note.clone_from(&once.note);
            let space = self.scopes.entry(scope.clone()).or_default();
            space.receipts.insert(once, receipt.clone(), at);
        }
        Ok((receipt, touched.into_changes()))
    }

    /// Returns the precondition of a write that does not hold.
    fn failed_precondition(&self, scope: &Scope, system: &Scope, write: &Write) -> Option<FailedPrecondition> {
        let (realm, kind, id, expect) = match write {
            Write::Put { partition: realm, document, expect } => (realm, &document.kind, &document.id, expect),
            Write::Delete { partition: realm, kind, id, expect } => (realm, kind, id, expect),
            Write::Append { key, expected, .. } => {
                let head = self.head(scope, key);
                if head.deleted {
                    return Some(FailedPrecondition::Deleted { key: key.clone() });
                }
                let failed = || FailedPrecondition::Stream { key: key.clone(), head: head.seq };
                return matches!(expected, ExpectedHead::Seq(wanted) if *wanted != head.seq).then(failed);
            }
            Write::DeleteStream { key } | Write::ExpectStream { key } => {
                return self.head(scope, key).deleted.then(|| FailedPrecondition::Deleted { key: key.clone() });
            }
            _ => return None,
        };
        let space = self.scope_data(scope_for(scope, system, *realm));
        let version = space.and_then(|space| space.documents.get(kind)?.get(id)).map(|document| document.version);
        let holds = match expect {
            Expect::Absent => version.is_none(),
            Expect::Version(wanted) => version == Some(*wanted),
            Expect::Present => version.is_some(),
            Expect::Any => true,
        };
        (!holds).then(|| FailedPrecondition::Document { kind: kind.clone(), id: id.clone(), version })
    }

    fn check_trim(&self, scope: &Scope, write: &Write) -> Result<(), CommitError> {
        match write {
            Write::Trim { key, first } if *first > self.head(scope, key).seq.next() => {
                let detail = "a trim may go at most one past the head";
                Err(CommitError::Refused(Error::internal("store.commit", detail)))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn head(&self, scope: &Scope, key: &StreamKey) -> StreamHead {
        let log = self.scope_data(scope).and_then(|space| space.streams.get(key));
        log.map_or(StreamHead::EMPTY, StreamLog::head)
    }

    fn apply(
        &mut self,
        scope: &Scope,
        system: &Scope,
        at: engines_core::Timestamp,
        write: Write,
        receipt: &mut CommitReceipt,
        touched: &mut StreamChanges,
    ) {
        let realm = match &write {
            Write::Put { partition: realm, .. } | Write::Delete { partition: realm, .. } => *realm,
            _ => Partition::Own,
        };
        let space = self.scopes.entry(scope_for(scope, system, realm).clone()).or_default();
        let freed = match write {
            Write::Put { document, .. } => {
                let (version, freed) = space.documents.entry(document.kind.clone()).or_default().put(document, at);
                receipt.versions.push(version);
                freed
            }
            Write::Delete { kind, id, .. } => {
                receipt.versions.push(0);
                space.documents.get_mut(&kind).map_or(0, |documents| documents.delete(&id))
            }
            Write::Append { key, events, .. } => {
                let event_id = events.last().map(|event| event.event_id).unwrap_or_default();
                let (first, last) = space.streams.entry(key.clone()).or_default().append(events);
                touched.appended.push((scope.clone(), key.clone(), last));
                receipt.appended.push(AppendReceipt { key, first, last, event_id });
                0
            }
            Write::Trim { key, first } => space.streams.get_mut(&key).map_or(0, |log| log.trim(first)),
            Write::DeleteStream { key } => {
                let freed = space.streams.entry(key.clone()).or_default().delete() + space.receipts.forget_stream(&key);
                touched.deleted.push((scope.clone(), key));
                freed
            }
            Write::ExpectStream { .. } => 0,
            Write::Record { event, idempotency: once } => {
                let place = space.events.len();
                let seq = Seq(place as u64 + 1);
                let again = once.as_ref().and_then(|once| space.receipts.replayed_outcome(once));
                let freed = again
                    .as_ref()
                    .zip(once.as_ref())
                    .map_or(0, |(_, once)| ITEM_OVERHEAD_BYTES + event.size() + receipt_bytes(once));
                let outcome = again.unwrap_or_else(|| {
                    if let Some(once) = once {
                        space.receipts.insert_event(*once, seq, at);
                    }
                    self.last_position += 1;
                    self.feed.insert(self.last_position, (scope.clone(), place));
                    let size = ITEM_OVERHEAD_BYTES + event.size();
                    space.events.push(event.into_stored(seq), self.last_position, size);
                    EventOutcome::Kept(seq)
                });
                receipt.recorded.push(outcome);
                freed
            }
            Write::Audit(entry) => {
                space.audit.push_back(entry);
                0
            }
            // `Write` is non-exhaustive: a later version of the trait may add a variant.
            _ => 0,
        };
        self.bytes = self.bytes.saturating_sub(freed);
    }
}

/// The changes that a batch made to streams.
#[derive(Default)]
struct StreamChanges {
    appended: Vec<(Scope, StreamKey, Seq)>,
    deleted: Vec<(Scope, StreamKey)>,
}

impl StreamChanges {
    /// Converts the changes to the notifications to send.
    fn into_changes(self) -> Vec<StoreChange> {
        let grown = (!self.appended.is_empty()).then(|| StoreChange::Appended(self.appended.into()));
        let deleted = (!self.deleted.is_empty()).then(|| StoreChange::Deleted(self.deleted.into()));
        grown.into_iter().chain(deleted).collect()
    }
}

fn storage_full() -> Error {
    let detail = "the memory store is full; the batch was not stored; delete data or raise the store's limit";
    Error::new(Code::StorageFull, "memory.commit", detail)
}

fn scope_for<'a>(scope: &'a Scope, system: &'a Scope, realm: Partition) -> &'a Scope {
    match realm {
        Partition::Own => scope,
        Partition::System => system,
    }
}

/// Returns the approximate number of bytes that a batch adds.
fn estimated_bytes(batch: &Batch) -> usize {
    let writes: usize = batch
        .writes()
        .iter()
        .map(|write| match write {
            Write::Delete { .. } | Write::Trim { .. } | Write::ExpectStream { .. } => 0,
            // A deleted stream's name stays reserved.
            Write::DeleteStream { .. } => ITEM_OVERHEAD_BYTES,
            Write::Append { events, .. } => write.size() + ITEM_OVERHEAD_BYTES * events.len(),
            Write::Record { idempotency: Some(once), .. } => write.size() + ITEM_OVERHEAD_BYTES + receipt_bytes(once),
            _ => write.size() + ITEM_OVERHEAD_BYTES,
        })
        .sum();
    writes + batch.idempotency().map_or(0, receipt_bytes)
}

fn receipt_bytes(once: &Idempotency) -> usize {
    receipt_size(&once.namespace, &once.key, &once.note)
}
