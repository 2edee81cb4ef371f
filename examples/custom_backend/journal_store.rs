//! A durable store in one file: each commit appends a record of what it changes, and opening the file reads the records.
//!
//! It has no codec of its own, because the types of the contract implement `Serialize` and `Deserialize`. It keeps all
//! data in memory, and declares neither removal nor backup.

use std::{
    collections::{BTreeMap, HashMap},
    fs::{File, OpenOptions},
    io::{Read, Write as _},
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use engines::{
    IdGenerator, Result, Scope, Timestamp,
    core::{
        Code, DocId, Error, Store,
        audit::{AuditEntry, AuditFilter},
        event::{EventFilter, StoredEvent},
        nexus::{
            AppendReceipt, Batch, Capabilities, CommitError, CommitReceipt, Document, DocumentKind, DocumentQuery,
            EventFeed, EventOutcome, Expect, ExpectedHead, FailedPrecondition, FeedItem, Idempotency, NewDocument,
            Page, PageRequest, PageToken, Partition, QueryOrder, StoreChange, StoreChanges, StreamHead, Write,
        },
        stream::{LogId, Seq, StreamEvent, StreamKey},
    },
};
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::{self, error::RecvError};

/// A record of the file: the store's id in the first, and the changes of a commit in each other.
#[derive(Debug, Serialize, Deserialize)]
enum Record {
    LogId([u8; 8]),
    Commit(Vec<Change>),
}

/// A change of one scope. The file has what is stored, so that reading it needs no decisions.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Change {
    Put(Scope, Document),
    Delete(Scope, DocumentKind, DocId),
    Append(Scope, StreamKey, Vec<StreamEvent>),
    Trim(Scope, StreamKey, Seq),
    Record(Scope, StoredEvent),
    Audit(Scope, AuditEntry),
    /// The namespace, key and fingerprint of the request, and its receipt.
    Receipt(Scope, (String, String), [u8; 32], CommitReceipt),
}

#[derive(Debug, Default)]
struct State {
    scopes: HashMap<Scope, ScopeState>,
    /// The scope and index of each event. The position of an event is its index here plus 1.
    feed: Vec<(Scope, usize)>,
}

#[derive(Debug, Default)]
struct ScopeState {
    documents: BTreeMap<(DocumentKind, DocId), Document>,
    streams: HashMap<StreamKey, Stream>,
    events: Vec<StoredEvent>,
    audit: Vec<AuditEntry>,
    receipts: HashMap<(String, String), (CommitReceipt, [u8; 32])>,
}

#[derive(Debug, Default)]
struct Stream {
    trimmed: u64,
    events: Vec<StreamEvent>,
}

impl Stream {
    fn head(&self) -> StreamHead {
        let seq = Seq(self.trimmed + self.events.len() as u64);
        StreamHead { seq, first: Seq(self.trimmed + 1), deleted: false }
    }
}

impl State {
    fn apply(&mut self, change: Change) {
        match change {
            Change::Put(scope, document) => {
                let key = (document.kind.clone(), document.id.clone());
                self.scope(scope).documents.insert(key, document);
            }
            Change::Delete(scope, kind, id) => _ = self.scope(scope).documents.remove(&(kind, id)),
            Change::Append(scope, key, events) => {
                self.scope(scope).streams.entry(key).or_default().events.extend(events);
            }
            Change::Trim(scope, key, first) => {
                let stream = self.scope(scope).streams.entry(key).or_default();
                stream.events.retain(|event| event.seq >= first);
                stream.trimmed = stream.trimmed.max(first.0.saturating_sub(1));
            }
            Change::Record(scope, event) => {
                let events = &mut self.scope(scope.clone()).events;
                events.push(event);
                let index = events.len() - 1;
                self.feed.push((scope, index));
            }
            Change::Audit(scope, entry) => self.scope(scope).audit.push(entry),
            Change::Receipt(scope, key, fingerprint, receipt) => {
                self.scope(scope).receipts.insert(key, (receipt, fingerprint));
            }
        }
    }

    fn scope(&mut self, scope: Scope) -> &mut ScopeState {
        self.scopes.entry(scope).or_default()
    }

    fn document(&self, scope: &Scope, kind: &DocumentKind, id: &DocId) -> Option<&Document> {
        self.scopes.get(scope)?.documents.get(&(kind.clone(), id.clone()))
    }

    fn head(&self, scope: &Scope, key: &StreamKey) -> StreamHead {
        self.scopes.get(scope).and_then(|scope| scope.streams.get(key)).map_or(StreamHead::EMPTY, Stream::head)
    }

    fn receipt(&self, scope: &Scope, idempotency: &Idempotency) -> Option<&(CommitReceipt, [u8; 32])> {
        let key = (idempotency.namespace.clone(), idempotency.key.clone());
        self.scopes.get(scope)?.receipts.get(&key)
    }

    /// The precondition of a write that does not hold.
    fn failed(&self, home: &Scope, write: &Write) -> Option<FailedPrecondition> {
        let (kind, id, expect) = match write {
            Write::Put { document, expect, .. } => (&document.kind, &document.id, expect),
            Write::Delete { kind, id, expect, .. } => (kind, id, expect),
            Write::Append { key, expected: ExpectedHead::Seq(wanted), .. } => {
                let head = self.head(home, key).seq;
                return (head != *wanted).then(|| FailedPrecondition::Stream { key: key.clone(), head });
            }
            _ => return None,
        };
        let version = self.document(home, kind, id).map(|document| document.version);
        let holds = match expect {
            Expect::Absent => version.is_none(),
            Expect::Version(wanted) => version == Some(*wanted),
            Expect::Present => version.is_some(),
            Expect::Any => true,
        };
        (!holds).then(|| FailedPrecondition::Document { kind: kind.clone(), id: id.clone(), version })
    }

    fn put(&self, scope: &Scope, new: NewDocument, at: Timestamp) -> Document {
        let old = self.document(scope, &new.kind, &new.id);
        let NewDocument { kind, id, tags, body } = new;
        let (version, created_at) = old.map_or((1, at), |old| (old.version + 1, old.created_at));
        Document { kind, id, version, created_at, updated_at: at, tags, body }
    }
}

/// The state and the file that it is read from.
#[derive(Debug)]
struct Journal {
    state: State,
    file: File,
    /// Set when a write failed: the end of the file is then unknown until it is opened again.
    failed: bool,
}

/// A store in one file.
#[derive(Debug)]
pub(crate) struct JournalStore {
    log_id: LogId,
    journal: Mutex<Journal>,
    changes: broadcast::Sender<StoreChange>,
}

impl JournalStore {
    /// Opens or creates the file.
    pub(crate) fn open(path: &Path, ids: &IdGenerator) -> Result<Self> {
        let failed = |error: std::io::Error| Error::unavailable("journal.open", error);
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(failed)?;
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(failed)?;
        let (mut state, mut log_id, mut end) = (State::default(), None, 0);
        let mut records = serde_json::Deserializer::from_slice(&text).into_iter();
        while let Some(record) = records.next() {
            match record {
                Ok(Record::LogId(id)) => log_id = Some(LogId::from_bytes(id)),
                Ok(Record::Commit(changes)) => changes.into_iter().for_each(|change| state.apply(change)),
                // A crash has cut off the record before its commit was acknowledged.
                Err(error) if error.is_eof() => break,
                Err(error) => return Err(Error::unavailable("journal.open", error)),
            }
            end = records.byte_offset();
        }
        file.set_len(end as u64).map_err(failed)?;
        let mut journal = Journal { state, file, failed: false };
        let log_id = match log_id {
            Some(id) => id,
            None => {
                let id = ids.bytes();
                journal.write(&Record::LogId(id)).map_err(|error| Error::unavailable("journal.open", error))?;
                LogId::from_bytes(id)
            }
        };
        Ok(Self { log_id, journal: Mutex::new(journal), changes: broadcast::channel(256).0 })
    }

    fn lock(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Journal {
    fn write(&mut self, record: &Record) -> std::io::Result<()> {
        let mut text = serde_json::to_vec(record)?;
        text.push(b'\n');
        self.file.write_all(&text)?;
        self.file.sync_data()
    }

    /// Checks a batch, writes its changes to the file, and then applies them.
    fn commit(&mut self, scope: &Scope, batch: Batch) -> Result<(CommitReceipt, Vec<StreamHeadChange>), CommitError> {
        if self.failed {
            let detail = "a write to the journal failed; open the store again";
            return Err(CommitError::Backend(Error::new(Code::BackendUnavailable, "journal.commit", detail)));
        }
        if let Some(idempotency) = batch.idempotency()
            && let Some((receipt, fingerprint)) = self.state.receipt(scope, idempotency)
        {
            return match *fingerprint == idempotency.fingerprint {
                true => Ok((CommitReceipt { replayed: true, ..receipt.clone() }, Vec::new())),
                false => Err(CommitError::IdempotencyMismatch),
            };
        }
        let system = Scope::system().map_err(CommitError::Backend)?;
        let home = |write: &Write| match write {
            Write::Put { partition: Partition::System, .. } | Write::Delete { partition: Partition::System, .. } => {
                system.clone()
            }
            _ => scope.clone(),
        };
        for (index, write) in batch.writes().iter().enumerate() {
            if let Some(failed) = self.state.failed(&home(write), write) {
                return Err(CommitError::Precondition { index, failed });
            }
            if let Write::Trim { key, first } = write
                && *first > self.state.head(scope, key).seq.next()
            {
                let detail = "a trim may go at most one past the head";
                return Err(CommitError::Refused(Error::internal("journal.commit", detail)));
            }
        }
        let (at, idempotency, writes) = batch.into_parts();
        let (mut receipt, mut heads) = (CommitReceipt::default(), Vec::new());
        let (mut changes, mut next_event) = (Vec::new(), self.state.scopes.get(scope).map_or(0, |s| s.events.len()));
        let mut keys: HashMap<(String, String), (CommitReceipt, [u8; 32])> = HashMap::new();
        for write in writes {
            let home = home(&write);
            match write {
                Write::Put { document, .. } => {
                    let document = self.state.put(&home, document, at);
                    receipt.versions.push(document.version);
                    changes.push(Change::Put(home, document));
                }
                Write::Delete { kind, id, .. } => {
                    receipt.versions.push(0);
                    changes.push(Change::Delete(home, kind, id));
                }
                Write::Append { key, events, .. } => {
                    let first = self.state.head(scope, &key).seq.next();
                    let events: Vec<_> =
                        (first.0..).zip(events).map(|(seq, event)| StreamEvent { seq: Seq(seq), event }).collect();
                    let Some(last) = events.last() else { continue };
                    let (last, event_id) = (last.seq, last.event.event_id);
                    receipt.appended.push(AppendReceipt { key: key.clone(), first, last, event_id });
                    heads.push((scope.clone(), key.clone(), last));
                    changes.push(Change::Append(home, key, events));
                }
                Write::Trim { key, first } => changes.push(Change::Trim(home, key, first)),
                Write::Record { event, idempotency } => {
                    if let Some(new) = &idempotency {
                        let key = (new.namespace.clone(), new.key.clone());
                        if let Some((first, fingerprint)) = keys.get(&key).or_else(|| self.state.receipt(scope, new)) {
                            let outcome = EventOutcome::from_first_receipt(first, fingerprint, &new.fingerprint);
                            receipt.recorded.push(outcome);
                            continue;
                        }
                    }
                    next_event += 1;
                    let seq = Seq(next_event as u64);
                    if let Some(new) = idempotency {
                        let recorded = vec![EventOutcome::Kept(seq)];
                        let own = CommitReceipt { recorded, note: new.note.clone(), ..CommitReceipt::default() };
                        let key = (new.namespace, new.key);
                        keys.insert(key.clone(), (own.clone(), new.fingerprint));
                        changes.push(Change::Receipt(home.clone(), key, new.fingerprint, own));
                    }
                    receipt.recorded.push(EventOutcome::Kept(seq));
                    changes.push(Change::Record(home, event.into_stored(seq)));
                }
                Write::Audit(entry) => changes.push(Change::Audit(home, entry)),
                // The other writes need `Capabilities::removes`, which this store does not declare.
                _ => {}
            }
        }
        if let Some(idempotency) = idempotency {
            let Idempotency { namespace, key, fingerprint, note } = idempotency;
            receipt.note = note;
            changes.push(Change::Receipt(scope.clone(), (namespace, key), fingerprint, receipt.clone()));
        }
        let record = Record::Commit(changes);
        if let Err(error) = self.write(&record) {
            self.failed = true;
            return Err(CommitError::Unknown(Error::outcome_unknown("journal.commit", error)));
        }
        if let Record::Commit(changes) = record {
            changes.into_iter().for_each(|change| self.state.apply(change));
        }
        Ok((receipt, heads))
    }
}

type StreamHeadChange = (Scope, StreamKey, Seq);

#[async_trait]
impl Store for JournalStore {
    fn capabilities(&self) -> Capabilities {
        Capabilities { name: "journal", durable: true, ..Capabilities::default() }
    }

    fn log_id(&self) -> LogId {
        self.log_id
    }

    /// Syncs the file on the caller's thread, to keep the example short. A server would use a thread of its own, and
    /// one sync for all commits that wait.
    async fn commit(&self, scope: &Scope, batch: Batch) -> Result<CommitReceipt, CommitError> {
        self.capabilities().check(&batch)?;
        let mut journal = self.lock();
        let (receipt, heads) = journal.commit(scope, batch)?;
        if !heads.is_empty() {
            // Sent under the lock, so that notifications keep the order of commits. It fails without receivers.
            let _ = self.changes.send(StoreChange::Appended(heads.into()));
        }
        Ok(receipt)
    }

    async fn receipt(&self, scope: &Scope, idempotency: &Idempotency) -> Result<Option<(CommitReceipt, [u8; 32])>> {
        Ok(self.lock().state.receipt(scope, idempotency).cloned())
    }

    async fn get(&self, scope: &Scope, kind: &DocumentKind, id: &DocId) -> Result<Option<Document>> {
        Ok(self.lock().state.document(scope, kind, id).cloned())
    }

    async fn query(&self, scope: &Scope, query: &DocumentQuery, page: PageRequest) -> Result<Page<Document>> {
        const BY_ID: &str = "documents.id";
        const BY_TIME: &str = "documents.updated";
        let by_time = query.order == QueryOrder::UpdatedDescending;
        // The sort key of the last document of the previous page; ids alone have the time 0.
        let after = match &page.after {
            None => None,
            Some(text) if by_time => {
                let [time, id] = PageToken::decode(BY_TIME, text)?;
                Some((parse_number(&time)?, id))
            }
            Some(text) => {
                let [id] = PageToken::decode(BY_ID, text)?;
                Some((0, id))
            }
        };
        let key = |document: &Document| {
            (if by_time { document.updated_at.as_millis() } else { 0 }, document.id.as_str().to_owned())
        };
        let journal = self.lock();
        let mut found: Vec<_> = journal
            .state
            .scopes
            .get(scope)
            .into_iter()
            .flat_map(|scope| scope.documents.values())
            .filter(|document| document.kind == query.kind)
            .filter(|document| query.tags.iter().all(|tag| document.tags.contains(tag)))
            .filter(|document| query.from_id.as_ref().is_none_or(|from| document.id >= *from))
            .filter(|document| query.to_id.as_ref().is_none_or(|to| document.id <= *to))
            .map(|document| (key(document), document))
            .collect();
        found.sort_by(|one, other| one.0.cmp(&other.0));
        if query.order == QueryOrder::IdAscending {
            found.retain(|(key, _)| after.as_ref().is_none_or(|after| key > after));
        } else {
            found.reverse();
            found.retain(|(key, _)| after.as_ref().is_none_or(|after| key < after));
        }
        let limit = page.limit.max(1);
        let items = found.into_iter().take(limit.saturating_add(1)).map(|(_, document)| document.clone()).collect();
        Ok(Page::from_lookahead(items, limit, |last: &Document| match by_time {
            true => PageToken::new(BY_TIME, [last.updated_at.as_millis().to_string(), last.id.to_string()]),
            false => PageToken::new(BY_ID, [last.id.to_string()]),
        }))
    }

    async fn read(&self, scope: &Scope, key: &StreamKey, after: Seq, limit: usize) -> Result<Vec<StreamEvent>> {
        let journal = self.lock();
        let stream = journal.state.scopes.get(scope).and_then(|scope| scope.streams.get(key));
        let events = stream.into_iter().flat_map(|stream| &stream.events);
        Ok(events.filter(|event| event.seq > after).take(limit).cloned().collect())
    }

    async fn head(&self, scope: &Scope, key: &StreamKey) -> Result<StreamHead> {
        Ok(self.lock().state.head(scope, key))
    }

    async fn events(&self, scope: &Scope, filter: &EventFilter, page: PageRequest) -> Result<Page<StoredEvent>> {
        let journal = self.lock();
        let events = journal.state.scopes.get(scope).map_or(&[][..], |scope| &scope.events);
        page_of("events", self.log_id, page, events, |event| filter.matches(event))
    }

    async fn audit(&self, scope: &Scope, filter: &AuditFilter, page: PageRequest) -> Result<Page<AuditEntry>> {
        let journal = self.lock();
        let entries = journal.state.scopes.get(scope).map_or(&[][..], |scope| &scope.audit);
        page_of("audit", self.log_id, page, entries, |entry| filter.matches(entry))
    }

    fn changes(&self) -> StoreChanges {
        Box::pin(futures_util::stream::unfold(self.changes.subscribe(), async |mut receiver| {
            match receiver.recv().await {
                Ok(change) => Some((change, receiver)),
                Err(RecvError::Lagged(_)) => Some((StoreChange::Lagged, receiver)),
                Err(RecvError::Closed) => None,
            }
        }))
    }

    async fn ping(&self) -> Result<()> {
        Ok(())
    }
}

#[async_trait]
impl EventFeed for JournalStore {
    async fn after(&self, position: u64, limit: usize) -> Result<Vec<FeedItem>> {
        let journal = self.lock();
        let state = &journal.state;
        let skip = usize::try_from(position).unwrap_or(usize::MAX);
        let items = (1..).zip(&state.feed).skip(skip).take(limit).filter_map(|(position, (scope, index))| {
            let event = state.scopes.get(scope)?.events.get(*index)?.clone();
            Some(FeedItem { position, scope: scope.clone(), event })
        });
        Ok(items.collect())
    }
}

/// A page of the matching items of a list that only grows. The token has the number of items before the next page, and
/// is valid for this log only.
fn page_of<T: Clone>(
    list: &'static str,
    log_id: LogId,
    page: PageRequest,
    items: &[T],
    matches: impl Fn(&T) -> bool,
) -> Result<Page<T>> {
    let page = page.unbind_from_log(log_id)?;
    let skip = match &page.after {
        None => 0,
        Some(text) => {
            let [count] = PageToken::decode(list, text)?;
            usize::try_from(parse_number(&count)?).unwrap_or(usize::MAX)
        }
    };
    let limit = page.limit.max(1);
    let found = items.iter().enumerate().skip(skip).filter(|(_, item)| matches(item)).take(limit.saturating_add(1));
    let found = Page::from_lookahead(found.collect(), limit, |(index, _): &(usize, &T)| {
        PageToken::new(list, [(index + 1).to_string()])
    });
    Ok(found.map(|(_, item)| item.clone()).bind_to_log(log_id))
}

fn parse_number(text: &str) -> Result<i64> {
    let detail = "the cursor is malformed; use `next` unchanged";
    text.parse().map_err(|_| Error::new(Code::CursorInvalid, "journal.page", detail))
}
