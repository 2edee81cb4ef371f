//! Snapshots of a scope, and scopes that are being restored.

use std::collections::HashMap;

use async_trait::async_trait;
use engines_core::{
    Code, Error, Result,
    nexus::{
        Document, Page, PageRequest, PageToken, StreamHead,
        archive::{ArchiveRecord, ScopeCounters, ScopeSnapshot, Section, StoredReceipt},
    },
    stream::{Seq, StreamKey},
};

use super::{
    scope_data::{ScopeData, StreamLog},
    sizes::ITEM_OVERHEAD_BYTES,
};

/// Maximum size of one page of a snapshot; a page contains at least one record.
const PAGE_BYTES: usize = 4 << 20;
/// Bytes counted for an event's slot in the log, also when the event was removed.
const POSITION_BYTES: usize = 64;

/// A scope that is being restored.
#[derive(Default)]
pub(super) struct StagedScopeData {
    pub(super) data: ScopeData,
    pub(super) progress: String,
    /// The final head of each stream.
    heads: HashMap<StreamKey, StreamHead>,
    last_event: Seq,
    pub(super) counters: ScopeCounters,
    pub(super) bytes: usize,
}

/// The key that orders the records of a section: text, text, number.
type RecordKey = (String, String, u64);

/// A copy of a scope.
#[derive(Debug, Default)]
pub(super) struct MemorySnapshot(HashMap<Section, Vec<(RecordKey, ArchiveRecord)>>);

impl MemorySnapshot {
    pub(super) fn from_scope(space: Option<&ScopeData>, counted: ScopeCounters) -> Self {
        let mut sections: HashMap<Section, Vec<(RecordKey, ArchiveRecord)>> = HashMap::new();
        let mut add = |text: &str, more: &str, number: u64, record: ArchiveRecord| {
            let key = (text.to_owned(), more.to_owned(), number);
            sections.entry(record.section()).or_default().push((key, record));
        };
        let counters = space.map(|space| ScopeCounters {
            events: Seq(space.events.len() as u64).max(counted.events),
            audit: last_audit_number(space).max(counted.audit),
        });
        add("", "", 0, ArchiveRecord::Counters(counters.unwrap_or_default()));
        if let Some(space) = space {
            for (kind, documents) in &space.documents {
                for document in documents.iter() {
                    add(kind.as_str(), document.id.as_str(), 0, ArchiveRecord::Document(document.clone()));
                }
            }
            for (key, log) in &space.streams {
                add(key.as_str(), "", 0, ArchiveRecord::Stream(key.clone(), log.head()));
                for event in log.iter_events() {
                    add(key.as_str(), "", event.seq.0, ArchiveRecord::StreamEvent(key.clone(), event.clone()));
                }
            }
            for (event, position) in space.events.iter() {
                let position = (position > 0).then_some(position);
                add("", "", event.seq.0, ArchiveRecord::Event(position, event.clone()));
            }
            for (number, entry) in (space.audit_removed as u64 + 1..).zip(&space.audit) {
                add("", "", number, ArchiveRecord::Audit(number, entry.clone()));
            }
            for (number, kept) in space.receipts.iter_records() {
                add("", "", number, ArchiveRecord::Receipt(kept));
            }
        }
        for records in sections.values_mut() {
            records.sort_by(|(one, _), (other, _)| one.cmp(other));
        }
        Self(sections)
    }
}

#[async_trait]
impl ScopeSnapshot for MemorySnapshot {
    async fn records(&self, section: Section, page: PageRequest) -> Result<Page<ArchiveRecord>> {
        let all = self.0.get(&section).map(Vec::as_slice).unwrap_or_default();
        let start = match &page.after {
            None => 0,
            Some(text) => {
                let [one, two, number] = PageToken::decode(section.as_str(), text)?;
                let number = number.parse().map_err(|_| {
                    Error::new(Code::CursorInvalid, "memory.snapshot", "the cursor is malformed; use `next` unchanged")
                })?;
                let after = (one, two, number);
                all.partition_point(|(key, _)| *key <= after)
            }
        };
        let rest = all.get(start..).unwrap_or_default();
        let (mut count, mut bytes) = (0, 0);
        for (_, record) in rest.iter().take(page.limit.max(1)) {
            bytes += record.size() + ITEM_OVERHEAD_BYTES;
            if count > 0 && bytes > PAGE_BYTES {
                break;
            }
            count += 1;
        }
        let (items, more) = rest.split_at(count);
        let next = items.last().filter(|_| !more.is_empty()).map(|((one, two, number), _)| {
            PageToken::new(section.as_str(), [one.clone(), two.clone(), number.to_string()]).encode()
        });
        Ok(Page { items: items.iter().map(|(_, record)| record.clone()).collect(), next })
    }
}

impl StagedScopeData {
    /// Adds a record. Returns what is wrong when the record cannot follow the previous ones.
    pub(super) fn add(&mut self, record: ArchiveRecord) -> Result<(), &'static str> {
        let bytes = ITEM_OVERHEAD_BYTES + record.size();
        match record {
            ArchiveRecord::Counters(counters) => self.counters = counters,
            ArchiveRecord::Document(document) => self.add_document(document)?,
            ArchiveRecord::Stream(key, head) => {
                if self.heads.insert(key.clone(), head).is_some() {
                    return Err("a stream is repeated");
                }
                self.data.streams.insert(key, StreamLog::starting_at(head.first, head.deleted));
            }
            ArchiveRecord::StreamEvent(key, event) => {
                let log = self.data.streams.get_mut(&key).ok_or("an event precedes its stream")?;
                if !log.restore(event) {
                    return Err("an event of a stream is missing or repeated");
                }
            }
            ArchiveRecord::Event(position, event) => {
                if event.seq <= self.last_event || event.seq.0 == u64::MAX {
                    return Err("dataset events are not ordered by sequence");
                }
                self.last_event = event.seq;
                self.data.events.restore(event, position.unwrap_or(0), bytes);
            }
            ArchiveRecord::Audit(number, entry) => {
                let first = self.data.audit.is_empty();
                if number == 0 || !first && number != last_audit_number(&self.data) + 1 {
                    return Err("audit records are not numbered consecutively");
                }
                if first {
                    self.data.audit_removed = usize::try_from(number - 1).map_err(|_| "a number is too large")?;
                }
                self.data.audit.push_back(entry);
            }
            ArchiveRecord::Receipt(StoredReceipt { idempotency: once, receipt, at }) => {
                if self.data.receipts.get(&once).is_some() {
                    return Err("a receipt is repeated");
                }
                self.data.receipts.insert(once, receipt, at);
            }
        }
        self.bytes += bytes;
        Ok(())
    }

    /// Returns the bytes counted for the slots of removed events, up to the end of these records.
    pub(super) fn gap_bytes(&self, records: &[ArchiveRecord]) -> usize {
        let last = records.iter().map(|record| match record {
            ArchiveRecord::Counters(counters) => counters.events.0,
            ArchiveRecord::Event(_, event) => event.seq.0,
            _ => 0,
        });
        let places = last.max().unwrap_or(0).saturating_sub(self.data.events.len() as u64);
        usize::try_from(places).unwrap_or(usize::MAX).saturating_mul(POSITION_BYTES)
    }

    fn add_document(&mut self, document: Document) -> Result<(), &'static str> {
        let documents = self.data.documents.entry(document.kind.clone()).or_default();
        if documents.restore(document) { Ok(()) } else { Err("a document is repeated") }
    }

    /// Returns whether every stream has all its events.
    pub(super) fn is_whole(&self) -> bool {
        self.heads.iter().all(|(key, head)| self.data.streams.get(key).is_some_and(|log| log.head() == *head))
    }
}

/// Returns the number of the last audit record.
fn last_audit_number(space: &ScopeData) -> u64 {
    (space.audit_removed + space.audit.len()) as u64
}
