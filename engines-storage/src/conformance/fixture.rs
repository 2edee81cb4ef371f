//! [`Fixture`]: the store under test, and helpers that fill it and read it.

use std::{
    collections::HashSet,
    future::{Future, poll_fn},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    task::Poll,
};

use engines_core::{
    DatasetEvent, DocId, Env, Error, RequestContext, ResourceId, Result, Role, Scope, Timestamp,
    audit::{AuditEntry, AuditFilter, AuditOutcome},
    clock::IdGenerator,
    context::ActorType,
    event::{CleanEvent, EventFilter, EventStamp, StoredEvent, scrub_event},
    nexus::{
        Backend, Batch, CommitError, CommitReceipt, Document, DocumentKind, DocumentQuery, EventOutcome, FeedItem,
        Idempotency, NewDocument, Page, PageRequest,
    },
    pii::Scrubber,
    stream::{NewEvent, Seq, StreamEvent, StreamKey},
    testing,
};
use serde_json::{Map, Value, json, value::RawValue};
use tokio::task::JoinSet;

use super::{
    report::{CaseFailure, ensure, ensure_equal},
    suite_settings::SuiteSettings,
};

/// The kind of the suite's documents.
pub(super) const NOTE: DocumentKind = DocumentKind::from_static("conformance_note");

/// 2026-01-01T00:00:00Z.
const FIRST_TICK_MS: i64 = 1_767_225_600_000;

/// The store under test, with unique scopes, test documents and events, and an increasing clock. Clones share all of
/// it.
#[derive(Debug, Clone)]
pub struct Fixture {
    pub(super) store: Arc<dyn Backend>,
    pub(super) settings: SuiteSettings,
    ids: IdGenerator,
    ticks: Arc<AtomicI64>,
}

impl Fixture {
    /// Creates a fixture for `store`.
    ///
    /// # Errors
    ///
    /// The operating system's random generator fails.
    pub fn new(store: Arc<dyn Backend>, mut settings: SuiteSettings) -> Result<Self> {
        settings.writers = settings.writers.max(2);
        settings.rounds = settings.rounds.max(1);
        Ok(Self { store, settings, ids: IdGenerator::from_os()?, ticks: Arc::new(AtomicI64::new(FIRST_TICK_MS)) })
    }

    /// Returns the store.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Backend> {
        &self.store
    }

    /// Returns the next millisecond.
    pub(super) fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.ticks.fetch_add(1, Ordering::SeqCst))
    }

    pub(super) fn new_batch(&self) -> Batch {
        Batch::new(self.now())
    }

    /// Returns the `dev` scope of a tenant that nothing else uses.
    pub(super) fn new_scope(&self) -> Result<Scope> {
        testing::scope(&format!("t_{}", self.unique_word()), Env::Dev)
    }

    /// Returns a unique word that consists of letters only, so that the PII engine detects nothing in it.
    pub(super) fn unique_word(&self) -> String {
        self.ids.bytes::<20>().iter().map(|byte| char::from(b'a' + byte % 26)).collect()
    }

    pub(super) fn context(&self, scope: &Scope) -> Result<RequestContext> {
        testing::context_in(scope.tenant().as_str(), scope.env(), "ada", ActorType::Human, Role::Owner)
    }

    pub(super) fn new_event(&self, scope: &Scope, n: impl Into<Value>) -> Result<NewEvent> {
        let now = self.now();
        let data = raw_json(&json!({ "n": n.into() }).to_string())?;
        Ok(NewEvent::new(self.ids.ulid(now), now, "conformance", &self.context(scope)?, data))
    }

    pub(super) fn new_events(&self, scope: &Scope, numbers: impl IntoIterator<Item = u64>) -> Result<Vec<NewEvent>> {
        numbers.into_iter().map(|n| self.new_event(scope, n)).collect()
    }

    pub(super) fn dataset_event(&self, scope: &Scope, surface: &str) -> Result<CleanEvent> {
        let event = DatasetEvent { surface: surface.into(), agent_id: "agent".into(), ..DatasetEvent::default() };
        self.scrub_event(scope, event)
    }

    pub(super) fn scrub_event(&self, scope: &Scope, event: DatasetEvent) -> Result<CleanEvent> {
        self.scrub_event_at(scope, event, self.now())
    }

    pub(super) fn scrub_event_at(&self, scope: &Scope, mut event: DatasetEvent, ts: Timestamp) -> Result<CleanEvent> {
        if event.input.is_empty() {
            event.input = Map::from_iter([("word".to_owned(), Value::from(self.unique_word()))]);
        }
        let context = self.context(scope)?;
        let actor = context.actor().clone();
        let stamp = EventStamp { event_id: self.ids.ulid(ts), ts, actor, train_ok: true };
        let scrubber: Scrubber = Default::default();
        scrub_event(&scrubber, event, stamp, &context)
    }

    pub(super) fn audit_entry(&self, scope: &Scope, action: &'static str, resource: &str) -> Result<AuditEntry> {
        let now = self.now();
        Ok(AuditEntry::new(self.ids.ulid(now), now, &self.context(scope)?, action, resource, AuditOutcome::Done))
    }

    pub(super) async fn commit(&self, scope: &Scope, batch: Batch) -> Result<CommitReceipt, CommitError> {
        self.store.commit(scope, batch).await
    }

    pub(super) async fn get(&self, scope: &Scope, id: &str) -> Result<Option<Document>> {
        self.store.get(scope, &NOTE, &DocId::new(id)?).await
    }

    /// Reads all events of a stream after `after`.
    pub(super) async fn read_all(&self, scope: &Scope, key: &StreamKey, after: Seq) -> Result<Vec<StreamEvent>> {
        let mut all: Vec<StreamEvent> = Vec::new();
        loop {
            let from = all.last().map_or(after, |last| last.seq);
            let some = self.store.read(scope, key, from, 1000).await?;
            if some.is_empty() {
                return Ok(all);
            }
            // Without this check a broken store could make the suite loop forever.
            if some.iter().any(|event| event.seq <= from) {
                return Err(suite_error("a read returned events that were not after its start"));
            }
            all.extend(some);
            tokio::task::yield_now().await;
        }
    }

    /// Returns every document of a query, in pages of `limit`.
    pub(super) async fn list_all(
        &self,
        scope: &Scope,
        query: &DocumentQuery,
        limit: usize,
    ) -> Result<Vec<Document>, CaseFailure> {
        read_pages(limit, |page| self.store.query(scope, query, page)).await
    }

    /// Returns every matching dataset event.
    pub(super) async fn list_events(
        &self,
        scope: &Scope,
        filter: &EventFilter,
    ) -> Result<Vec<StoredEvent>, CaseFailure> {
        read_pages(100, |page| self.store.events(scope, filter, page)).await
    }

    /// Returns every matching audit record.
    pub(super) async fn list_audit(&self, scope: &Scope, filter: &AuditFilter) -> Result<Vec<AuditEntry>, CaseFailure> {
        read_pages(100, |page| self.store.audit(scope, filter, page)).await
    }

    /// Returns all events of `scopes` from the feed.
    pub(super) async fn read_feed(&self, scopes: &[Scope]) -> Result<Vec<FeedItem>> {
        let mut position = 0;
        let mut all = Vec::new();
        loop {
            let some = self.store.after(position, 500).await?;
            let Some(last) = some.last() else { return Ok(all) };
            if last.position <= position {
                return Err(suite_error("the feed's positions do not increase"));
            }
            position = last.position;
            tokio::task::yield_now().await;
            all.extend(some.into_iter().filter(|item| scopes.contains(&item.scope)));
        }
    }

    /// Fails when `scope` contains anything: documents of the suite, events of these streams, dataset events, audit
    /// records, feed events, or this receipt.
    pub(super) async fn ensure_scope_empty(
        &self,
        scope: &Scope,
        keys: &[StreamKey],
        once: Option<&Idempotency>,
    ) -> Result<(), CaseFailure> {
        let documents = self.list_all(scope, &DocumentQuery::of_kind(NOTE), 100).await?;
        ensure_equal("documents that must not be there", &documents.len(), &0)?;
        for key in keys {
            let head = self.store.head(scope, key).await?;
            ensure_equal("the head of a stream that must be empty", &head.seq, &Seq::ZERO)?;
            ensure_equal("events of it", &self.read_all(scope, key, Seq::ZERO).await?.len(), &0)?;
        }
        let events = self.list_events(scope, &EventFilter::default()).await?;
        ensure_equal("dataset events that must not be there", &events.len(), &0)?;
        let audit = self.list_audit(scope, &AuditFilter::default()).await?;
        ensure_equal("audit records that must not be there", &audit.len(), &0)?;
        let fed = self.read_feed(std::slice::from_ref(scope)).await?;
        ensure_equal("events in the feed that must not be there", &fed.len(), &0)?;
        if let Some(once) = once {
            let receipt = self.store.receipt(scope, once).await?;
            ensure_equal("a receipt that must not be there", &receipt, &None)?;
        }
        Ok(())
    }
}

/// Reads a list to its end, `limit` items at a time. Fails on a page that is too long, and on an empty page that has
/// a next page.
pub(super) async fn read_pages<T, Fut>(
    limit: usize,
    page: impl FnMut(PageRequest) -> Fut,
) -> Result<Vec<T>, CaseFailure>
where
    Fut: Future<Output = Result<Page<T>>>,
{
    read_all_pages(limit, false, page).await
}

/// Like [`read_pages`], for a list in which pages before the end may be empty.
pub(super) async fn read_sparse_pages<T, Fut>(
    limit: usize,
    page: impl FnMut(PageRequest) -> Fut,
) -> Result<Vec<T>, CaseFailure>
where
    Fut: Future<Output = Result<Page<T>>>,
{
    read_all_pages(limit, true, page).await
}

async fn read_all_pages<T, Fut>(
    limit: usize,
    may_be_empty: bool,
    mut page: impl FnMut(PageRequest) -> Fut,
) -> Result<Vec<T>, CaseFailure>
where
    Fut: Future<Output = Result<Page<T>>>,
{
    let mut all = Vec::new();
    let mut tokens = HashSet::new();
    let mut next = PageRequest::first(limit);
    loop {
        let found = page(next).await?;
        ensure(found.items.len() <= limit, || format!("a page of {limit} has {} items", found.items.len()))?;
        ensure(may_be_empty || found.next.is_none() || !found.items.is_empty(), || {
            "an empty page says that there is another one after it".to_owned()
        })?;
        all.extend(found.items);
        match found.next {
            Some(after) => {
                ensure(tokens.insert(after.clone()), || "a page's `next` leads back".to_owned())?;
                next = PageRequest::after(limit, after);
                tokio::task::yield_now().await;
            }
            None => return Ok(all),
        }
    }
}

fn suite_error(what: &'static str) -> Error {
    Error::internal("conformance", what)
}

pub(super) fn note(id: &str, body: impl Into<Value>) -> Result<NewDocument> {
    NewDocument::new(NOTE, DocId::new(id)?, &body.into())
}

pub(super) fn raw_json(json: &str) -> Result<Box<RawValue>> {
    RawValue::from_string(json.to_owned()).map_err(|error| Error::internal("conformance.raw", error))
}

/// Returns a JSON string of exactly this many bytes, at least 2.
pub(super) fn json_of_size(bytes: usize) -> Result<Box<RawValue>> {
    raw_json(&format!("\"{}\"", "x".repeat(bytes.saturating_sub(2))))
}

pub(super) fn canvas(id: &str) -> Result<StreamKey> {
    Ok(StreamKey::canvas(&ResourceId::new(id)?))
}

pub(super) fn chat(id: &str) -> Result<StreamKey> {
    Ok(StreamKey::chat(&ResourceId::new(id)?))
}

/// Returns the outcomes of events that were stored with these sequences.
pub(super) fn kept_outcomes(places: impl IntoIterator<Item = u64>) -> Vec<EventOutcome> {
    places.into_iter().map(|place| EventOutcome::Kept(Seq(place))).collect()
}

pub(super) fn idempotency(realm: &str, key: &str, fingerprint: u8) -> Idempotency {
    Idempotency { namespace: realm.into(), key: key.into(), fingerprint: [fingerprint; 32], note: String::new() }
}

/// Runs tasks concurrently, on all threads of the runtime. Returns their results in the order of the tasks.
pub(super) async fn run_concurrently<T, Fut>(tasks: impl IntoIterator<Item = Fut>) -> Result<Vec<T>, CaseFailure>
where
    T: Send + 'static,
    Fut: Future<Output = Result<T, CaseFailure>> + Send + 'static,
{
    let mut set = JoinSet::new();
    for (index, task) in tasks.into_iter().enumerate() {
        set.spawn(async move { (index, task.await) });
    }
    let mut answers = Vec::new();
    while let Some(joined) = set.join_next().await {
        let (index, answer) = joined.map_err(|error| CaseFailure::new(format!("a task failed: {error}")))?;
        answers.push((index, answer?));
    }
    answers.sort_by_key(|(index, _)| *index);
    Ok(answers.into_iter().map(|(_, answer)| answer).collect())
}

/// Polls a future once.
pub(super) async fn poll_once<T>(future: &mut Pin<Box<dyn Future<Output = T> + Send + '_>>) -> Option<T> {
    poll_fn(|cx| {
        Poll::Ready(match future.as_mut().poll(cx) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        })
    })
    .await
}
