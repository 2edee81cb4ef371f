//! The conformance suite detects faults: each broken store here must fail the case that tests for its fault.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use engines_core::{
    DocId, Env, IdGenerator, Result, Scope, Store, Timestamp,
    audit::{AuditEntry, AuditFilter},
    event::{EventFilter, StoredEvent},
    nexus::{
        Backend, BackupFiles, BackupPosition, BackupSource, Batch, Capabilities, CommitError, CommitReceipt,
        CopyLimits, Document, DocumentKind, DocumentQuery, EventFeed, ExpectedHead, FailedPrecondition, FeedItem,
        Idempotency, Page, PageRequest, Partition, Removal, RemovalProgress, StoreChange, StoreChanges, StreamHead,
        Write,
        archive::{Archive, ArchiveRecord, Publication, ScopeSnapshot, Section, StagedScope, StoreMark},
    },
    stream::{LogId, Seq, StreamEvent, StreamKey},
};
use engines_storage::{
    MemoryStore,
    conformance::{self, SuiteSettings},
    memory::MemoryLimits,
};
use futures_util::StreamExt;

/// The fault of a broken store.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Bug {
    WritesOneByOne,
    ForgetsTheEnv,
    IgnoresKeys,
    IgnoresFingerprints,
    ChecksThenWrites,
    CommitsOutOfOrder,
    PagesLoseAnItem,
    TakesAnyToken,
    IgnoresTheLastTag,
    WakesEarly,
    LosesWakeUps,
    LeavesHoles,
    ForgetsTheHeadOfATrimmedStream,
    FeedSkips,
    FeedIsOutOfOrder,
    PromisesTooMuch,
    PromisesDurability,
    PromisesABackup,
    BacksUpWithoutEvents,
    CutsTimes,
    AuditIncludesUntil,
    EventsIgnoreTheType,
    SystemIsOwn,
    WrongIndex,
    ReplaysSilently,
    EventKeysFailTheBatch,
    EventKeysAreTheirOwn,
    TimesAreTakenAsSorted,
    SaysItIsIll,
    DeletedStreamsTakeAppends,
    DeletedStreamsHaveNoName,
    DeletionsAreSilent,
    KeepsReceiptsOfDeletedStreams,
    RemovesWithoutLimit,
    RemovesWhatIsNotDelivered,
    RemovesAllReceipts,
    RemovesTheNewestRecord,
    LeavesDocumentsOfAScope,
    RemovesEveryEnv,
    RestoresVersionsAnew,
    SnapshotsMoveOn,
    DeliversWhatIsRestored,
    DiscardsNothing,
    PublishesTheBatchAlone,
}

#[derive(Debug)]
struct BrokenStore {
    bug: Bug,
    inner: Arc<MemoryStore>,
    calls: AtomicUsize,
}

impl BrokenStore {
    fn has_bug(&self, bug: Bug) -> bool {
        self.bug == bug
    }

    fn scope(&self, scope: &Scope) -> Scope {
        let env = if self.has_bug(Bug::ForgetsTheEnv) { Env::Dev } else { scope.env() };
        Scope::new(scope.tenant().clone(), env)
    }

    fn break_page<T>(&self, answer: Result<Page<T>>) -> Result<Page<T>> {
        let mut page = answer?;
        if self.has_bug(Bug::PagesLoseAnItem) && page.items.len() > 1 && page.next.is_some() {
            page.items.swap_remove(0);
        }
        Ok(page)
    }

    fn break_token(&self, page: PageRequest) -> PageRequest {
        match &page.after {
            Some(after) if self.has_bug(Bug::TakesAnyToken) && after.len() < 12 => PageRequest::first(page.limit),
            _ => page,
        }
    }
}

/// Adds the same write to another batch.
fn repeat_write(batch: Batch, write: Write, system_is_own: bool) -> Batch {
    match write {
        Write::Put { partition: Partition::System, document, expect } if !system_is_own => {
            batch.put_system(document, expect)
        }
        Write::Put { document, expect, .. } => batch.put(document, expect),
        Write::Delete { partition: Partition::System, kind, id, expect } if !system_is_own => {
            batch.delete_system(kind, id, expect)
        }
        Write::Delete { kind, id, expect, .. } => batch.delete(kind, id, expect),
        Write::Append { key, expected, events } => batch.append(key, expected, events),
        Write::Trim { key, first } => batch.trim(key, first),
        Write::DeleteStream { key } => batch.delete_stream(key),
        Write::ExpectStream { key } => batch.expect_stream(key),
        Write::Record { event, idempotency: Some(once) } => batch.record_idempotent(*event, *once),
        Write::Record { event, idempotency: None } => batch.record(*event),
        Write::Audit(entry) => batch.audit(entry),
        _ => batch,
    }
}

#[async_trait]
impl Store for BrokenStore {
    fn capabilities(&self) -> Capabilities {
        let mut limits = self.inner.capabilities();
        limits.durable = self.has_bug(Bug::PromisesDurability);
        limits.max_writes += usize::from(self.has_bug(Bug::PromisesTooMuch));
        limits
    }

    fn log_id(&self) -> LogId {
        self.inner.log_id()
    }

    async fn commit(&self, scope: &Scope, batch: Batch) -> Result<CommitReceipt, CommitError> {
        self.inner.capabilities().check(&batch)?;
        let scope = &self.scope(scope);
        let at = match self.bug {
            Bug::CutsTimes => Timestamp::from_secs(batch.at().as_secs()),
            _ => batch.at(),
        };
        let (_, once, writes) = batch.into_parts();
        let start = || Batch::spanning(at);
        if self.has_bug(Bug::WritesOneByOne) {
            let mut all = CommitReceipt::default();
            for write in writes {
                let one = self.inner.commit(scope, repeat_write(start(), write, false)).await?;
                tokio::task::yield_now().await;
                all.versions.extend(one.versions);
                all.appended.extend(one.appended);
                all.recorded.extend(one.recorded);
            }
            return Ok(all);
        }
        let mut batch = start();
        for (index, mut write) in writes.into_iter().enumerate() {
            if let (Bug::ChecksThenWrites, Write::Append { key, expected, .. }) = (self.bug, &mut write)
                && let ExpectedHead::Seq(wanted) = *expected
            {
                let head = self.inner.head(scope, key).await.map_err(CommitError::Backend)?.seq;
                if head != wanted {
                    let failed = FailedPrecondition::Stream { key: key.clone(), head };
                    return Err(CommitError::Precondition { index, failed });
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
                *expected = ExpectedHead::Any;
            }
            if let Write::Record { idempotency: Some(key), .. } = &mut write {
                if self.has_bug(Bug::EventKeysFailTheBatch)
                    && let Some((_, print)) = self.inner.receipt(scope, key).await.map_err(CommitError::Backend)?
                    && print != key.fingerprint
                {
                    return Err(CommitError::IdempotencyMismatch);
                }
                if self.has_bug(Bug::EventKeysAreTheirOwn) {
                    key.namespace.push_str(" of events");
                }
            }
            match (self.bug, write) {
                // Only its events are removed, so that the stream can continue after them.
                (Bug::DeletedStreamsTakeAppends | Bug::KeepsReceiptsOfDeletedStreams, Write::DeleteStream { key }) => {
                    let head = self.inner.head(scope, &key).await.map_err(CommitError::Backend)?;
                    batch = batch.trim(key, head.seq.next());
                }
                (_, write) => batch = repeat_write(batch, write, self.has_bug(Bug::SystemIsOwn)),
            }
        }
        if let Some(mut once) = once.filter(|_| !self.has_bug(Bug::IgnoresKeys)) {
            if self.has_bug(Bug::IgnoresFingerprints) {
                once.fingerprint = [1; 32];
            }
            batch = batch.with_idempotency(once);
        }
        if self.has_bug(Bug::CommitsOutOfOrder) {
            tokio::task::yield_now().await;
        }
        let mut answer = self.inner.commit(scope, batch).await;
        match (&mut answer, self.bug) {
            (Err(CommitError::Precondition { index, .. }), Bug::WrongIndex) => *index = 0,
            (Ok(receipt), Bug::ReplaysSilently) => receipt.replayed = false,
            _ => {}
        }
        answer
    }

    async fn receipt(&self, scope: &Scope, once: &Idempotency) -> Result<Option<(CommitReceipt, [u8; 32])>> {
        self.inner.receipt(&self.scope(scope), once).await
    }

    async fn get(&self, scope: &Scope, kind: &DocumentKind, id: &DocId) -> Result<Option<Document>> {
        self.inner.get(&self.scope(scope), kind, id).await
    }

    async fn query(&self, scope: &Scope, query: &DocumentQuery, page: PageRequest) -> Result<Page<Document>> {
        let mut query = query.clone();
        if self.has_bug(Bug::IgnoresTheLastTag) && query.tags.len() > 1 {
            query.tags.pop();
        }
        self.break_page(self.inner.query(&self.scope(scope), &query, self.break_token(page)).await)
    }

    async fn read(&self, scope: &Scope, key: &StreamKey, after: Seq, limit: usize) -> Result<Vec<StreamEvent>> {
        let mut events = self.inner.read(&self.scope(scope), key, after, limit).await?;
        if self.has_bug(Bug::LeavesHoles) {
            events.retain(|event| event.seq.0 % 7 != 3);
        }
        Ok(events)
    }

    async fn head(&self, scope: &Scope, key: &StreamKey) -> Result<StreamHead> {
        let head = self.inner.head(&self.scope(scope), key).await?;
        let forget = self.has_bug(Bug::ForgetsTheHeadOfATrimmedStream) && head.first > head.seq;
        let forget = forget || self.has_bug(Bug::DeletedStreamsHaveNoName) && head.deleted;
        Ok(if forget { StreamHead::EMPTY } else { head })
    }

    async fn events(&self, scope: &Scope, filter: &EventFilter, page: PageRequest) -> Result<Page<StoredEvent>> {
        let mut filter = filter.clone();
        if self.has_bug(Bug::EventsIgnoreTheType) {
            filter.event_type = None;
        }
        let (from, first) = (filter.from, page.after.is_none());
        let mut answer = self.break_page(self.inner.events(&self.scope(scope), &filter, self.break_token(page)).await);
        if let (Bug::TimesAreTakenAsSorted, Ok(page), Some(_), true) = (self.bug, &mut answer, from, first) {
            // Like a search that stops where the times first decrease.
            let sorted = page.items.windows(2).take_while(|pair| pair[0].ts <= pair[1].ts).count() + 1;
            page.items.truncate(sorted);
        }
        answer
    }

    async fn audit(&self, scope: &Scope, filter: &AuditFilter, page: PageRequest) -> Result<Page<AuditEntry>> {
        let mut filter = filter.clone();
        if self.has_bug(Bug::AuditIncludesUntil) {
            filter.until = filter.until.map(|until| until.plus(Duration::from_millis(1)));
        }
        self.break_page(self.inner.audit(&self.scope(scope), &filter, self.break_token(page)).await)
    }

    async fn remove(
        &self,
        scope: &Scope,
        removal: &Removal,
        limit: usize,
        after: Option<&str>,
    ) -> Result<RemovalProgress> {
        let (mut removal, mut limit) = (removal.clone(), limit);
        match (self.bug, &mut removal) {
            (Bug::RemovesWithoutLimit, _) => limit = usize::MAX,
            (Bug::RemovesWhatIsNotDelivered, Removal::Events { delivered, .. }) => *delivered = None,
            (Bug::RemovesAllReceipts, Removal::Receipts { before }) => *before = before.plus(Duration::from_secs(3600)),
            (Bug::RemovesTheNewestRecord, Removal::Audit { .. }) => {
                // Removing the scope removes them: in this case the scope contains nothing else.
                removal = Removal::Scope;
            }
            (Bug::RemovesEveryEnv, Removal::Scope) => {
                let other = Scope::new(scope.tenant().clone(), Env::Prod);
                self.inner.remove(&other, &removal, usize::MAX, None).await?;
            }
            (Bug::LeavesDocumentsOfAScope, Removal::Scope) => {
                removal = Removal::Events { filter: EventFilter::default(), delivered: None };
            }
            _ => {}
        }
        self.inner.remove(scope, &removal, limit, after).await
    }

    fn changes(&self) -> StoreChanges {
        let (bug, mut count) = (self.bug, 0);
        Box::pin(self.inner.changes().filter_map(move |change| {
            count += 1;
            let change = match (bug, change) {
                (Bug::LosesWakeUps, _) if count % 2 == 0 => None,
                (Bug::DeletionsAreSilent, StoreChange::Deleted(_)) => None,
                (Bug::WakesEarly, StoreChange::Appended(heads)) => {
                    let heads = heads.iter().map(|(scope, key, head)| (scope.clone(), key.clone(), head.plus(1)));
                    Some(StoreChange::Appended(heads.collect()))
                }
                (_, change) => Some(change),
            };
            std::future::ready(change)
        }))
    }

    async fn ping(&self) -> Result<()> {
        self.inner.ping().await
    }

    async fn health(&self) -> Result<()> {
        match self.has_bug(Bug::SaysItIsIll) {
            true => Err(engines_core::Error::unavailable("mutant", "the last commit failed")),
            false => self.inner.health().await,
        }
    }

    fn backup_source(&self) -> Option<&dyn BackupSource> {
        match self.bug {
            Bug::PromisesABackup => None,
            Bug::BacksUpWithoutEvents => Some(self),
            _ => self.inner.backup_source(),
        }
    }

    fn archive(&self) -> Option<&dyn Archive> {
        Some(self)
    }
}

/// A snapshot that is taken again for each page.
#[derive(Debug)]
struct UnstableSnapshot(Arc<MemoryStore>, Scope);

#[async_trait]
impl ScopeSnapshot for UnstableSnapshot {
    async fn records(&self, section: Section, page: PageRequest) -> Result<Page<ArchiveRecord>> {
        self.0.snapshot(&self.1).await?.records(section, page).await
    }
}

#[async_trait]
impl Archive for BrokenStore {
    async fn mark(&self) -> Result<StoreMark> {
        self.inner.mark().await
    }

    async fn snapshot(&self, scope: &Scope) -> Result<Box<dyn ScopeSnapshot>> {
        match self.has_bug(Bug::SnapshotsMoveOn) {
            true => Ok(Box::new(UnstableSnapshot(Arc::clone(&self.inner), scope.clone()))),
            false => self.inner.snapshot(scope).await,
        }
    }

    async fn stage(&self, scope: &Scope, mut records: Vec<ArchiveRecord>, progress: &str) -> Result<(), CommitError> {
        let position = 1_000_000 + self.calls.fetch_add(1000, Ordering::SeqCst) as u64;
        for (n, record) in (position..).zip(&mut records) {
            match record {
                ArchiveRecord::Document(document) if self.has_bug(Bug::RestoresVersionsAnew) => document.version = 1,
                ArchiveRecord::Event(at, _) if self.has_bug(Bug::DeliversWhatIsRestored) => *at = Some(n),
                _ => {}
            }
        }
        self.inner.stage(scope, records, progress).await
    }

    async fn staged(&self) -> Result<Vec<StagedScope>> {
        self.inner.staged().await
    }

    async fn staged_snapshot(&self, scope: &Scope) -> Result<Box<dyn ScopeSnapshot>> {
        self.inner.staged_snapshot(scope).await
    }

    async fn publish(&self, mut publication: Publication) -> Result<CommitReceipt, CommitError> {
        if self.has_bug(Bug::PublishesTheBatchAlone) {
            let batch = std::mem::replace(&mut publication.batch, Batch::new(Timestamp::default()));
            self.inner.publish(publication).await?;
            return self.inner.commit(&Scope::system().map_err(CommitError::Backend)?, batch).await;
        }
        self.inner.publish(publication).await
    }

    async fn discard(&self, scope: &Scope) -> Result<bool, CommitError> {
        match self.has_bug(Bug::DiscardsNothing) {
            true => Ok(false),
            false => self.inner.discard(scope).await,
        }
    }
}

/// Reports that the copy contains no dataset events.
#[async_trait]
impl BackupSource for BrokenStore {
    fn name(&self) -> &str {
        "store"
    }

    async fn back_up(&self, files: &mut dyn BackupFiles, limits: CopyLimits) -> Result<Option<BackupPosition>> {
        let mut position = self.inner.back_up(files, limits).await?;
        for scope in position.iter_mut().flat_map(|position| &mut position.scopes) {
            scope.events = 0;
        }
        Ok(position)
    }
}

#[async_trait]
impl EventFeed for BrokenStore {
    async fn scopes(&self, after: Option<&Scope>, limit: usize) -> Result<Vec<Scope>> {
        EventFeed::scopes(&*self.inner, after, limit).await
    }

    async fn after(&self, position: u64, limit: usize) -> Result<Vec<FeedItem>> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        let skip = u64::from(self.has_bug(Bug::FeedSkips) && position > 0);
        let mut items = self.inner.after(position + skip, limit).await?;
        if self.has_bug(Bug::FeedIsOutOfOrder) && call.is_multiple_of(2) && items.len() > 1 {
            items.swap(0, 1);
        }
        Ok(items)
    }
}

async fn failed_cases(bug: Bug, only: &[&'static str]) -> Vec<&'static str> {
    let limits = MemoryLimits {
        max_writes: 100,
        max_batch_bytes: 64 << 10,
        max_document_bytes: 32 << 10,
        max_event_bytes: 8 << 10,
        ..MemoryLimits::default()
    };
    let settings = SuiteSettings {
        patience: Duration::from_secs(5),
        writers: 8,
        rounds: 4,
        only: only.to_vec(),
        ..SuiteSettings::default()
    };
    let open = move |_| {
        let limits = limits.clone();
        async move {
            let inner = Arc::new(MemoryStore::with_limits(&IdGenerator::from_os()?, limits));
            Ok(Arc::new(BrokenStore { bug, inner, calls: AtomicUsize::new(0) }) as Arc<dyn Backend>)
        }
    };
    match conformance::run_with(open, settings).await {
        Ok(_) => Vec::new(),
        Err(failures) => failures.failed.iter().map(|failed| failed.case).collect(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_mutant_fails_its_conformance_case() {
    let table: [(Bug, &[&str]); 44] = [
        (Bug::WritesOneByOne, &["batches::failing_anywhere_leaves_nothing", "readers::see_whole_batches"]),
        (Bug::ForgetsTheEnv, &["isolation::same_ids_everywhere", "isolation::other_scopes_are_empty"]),
        (Bug::IgnoresKeys, &["idempotency::same_key_replays", "idempotency::all_at_once"]),
        (Bug::IgnoresFingerprints, &["idempotency::other_body"]),
        (Bug::ChecksThenWrites, &["compare_and_swap::heads_race"]),
        (Bug::CommitsOutOfOrder, &["ordering::polled_in_order"]),
        (Bug::PagesLoseAnItem, &["paging::complete", "paging::stable_during_writes"]),
        (Bug::TakesAnyToken, &["paging::malformed_tokens"]),
        (Bug::IgnoresTheLastTag, &["documents::queries"]),
        (Bug::WakesEarly, &["changes::name_every_stream"]),
        (Bug::LosesWakeUps, &["changes::name_every_stream"]),
        (Bug::LeavesHoles, &["streams::read_from_anywhere", "readers::see_whole_batches"]),
        (Bug::ForgetsTheHeadOfATrimmedStream, &["streams::trim"]),
        (Bug::FeedSkips, &["events::feed_during_writes"]),
        (Bug::FeedIsOutOfOrder, &["events::feed"]),
        (Bug::PromisesTooMuch, &["limits::writes", "limits::events_count_as_writes"]),
        (Bug::PromisesDurability, &["reopen::everything_is_the_same", "reopen::keys_still_count"]),
        (Bug::PromisesABackup, &["backup::offered_if_promised"]),
        (Bug::BacksUpWithoutEvents, &["backup::position_is_exact"]),
        (Bug::CutsTimes, &["documents::written_is_read", "documents::newest_first"]),
        (Bug::AuditIncludesUntil, &["audit::filters"]),
        (Bug::EventsIgnoreTheType, &["text::in_events_and_audit", "events::filters"]),
        (Bug::SystemIsOwn, &["batches::spanning"]),
        (Bug::WrongIndex, &["batches::first_failure_is_named"]),
        (Bug::ReplaysSilently, &["idempotency::same_key_replays"]),
        (Bug::EventKeysFailTheBatch, &["idempotency::events_of_one_batch"]),
        (Bug::EventKeysAreTheirOwn, &["idempotency::events_of_one_batch"]),
        (Bug::TimesAreTakenAsSorted, &["events::times_out_of_order"]),
        (Bug::SaysItIsIll, &["health::healthy_while_working"]),
        (Bug::DeletedStreamsTakeAppends, &["removal::deleted_streams", "removal::deletions_race"]),
        (Bug::DeletedStreamsHaveNoName, &["removal::deleted_streams", "removal::deletions_wake"]),
        (Bug::DeletionsAreSilent, &["removal::deletions_wake"]),
        (Bug::KeepsReceiptsOfDeletedStreams, &["removal::receipts_of_deleted_streams"]),
        (Bug::RemovesWithoutLimit, &["removal::events", "removal::receipts", "removal::audit"]),
        (Bug::RemovesWhatIsNotDelivered, &["removal::events_not_delivered"]),
        (Bug::RemovesAllReceipts, &["removal::receipts"]),
        (Bug::RemovesTheNewestRecord, &["removal::audit"]),
        (Bug::LeavesDocumentsOfAScope, &["removal::scope"]),
        (Bug::RemovesEveryEnv, &["removal::scope"]),
        (Bug::RestoresVersionsAnew, &["archive::restored_is_the_same", "archive::discarded"]),
        (Bug::SnapshotsMoveOn, &["archive::a_snapshot_is_one_moment"]),
        (Bug::DeliversWhatIsRestored, &["archive::feed"]),
        (Bug::DiscardsNothing, &["archive::discarded"]),
        (Bug::PublishesTheBatchAlone, &["archive::refusals"]),
    ];
    let runs = table.map(|(bug, wanted)| tokio::spawn(async move { (bug, wanted, failed_cases(bug, wanted).await) }));
    let mut missed = Vec::new();
    for run in runs {
        let (bug, wanted, failed) = run.await.unwrap();
        if failed != wanted {
            missed.push(format!("{bug:?}: only {failed:?} of {wanted:?} found it"));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}
