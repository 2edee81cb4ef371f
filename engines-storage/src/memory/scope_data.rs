//! The data of one scope.

use std::collections::{HashMap, VecDeque};

use engines_core::{
    Result,
    audit::{AuditEntry, AuditFilter},
    nexus::{DocumentKind, Page, PageRequest, PageToken, StreamHead},
    stream::{NewEvent, Seq, StreamEvent, StreamKey},
};

use super::{
    documents::DocumentMap, events::EventIndex, page_token::resume_index, receipts::ReceiptIndex,
    sizes::ITEM_OVERHEAD_BYTES,
};

const AUDIT: &str = "audit";

/// The data of one scope.
#[derive(Default)]
pub(super) struct ScopeData {
    pub(super) documents: HashMap<DocumentKind, DocumentMap>,
    pub(super) streams: HashMap<StreamKey, StreamLog>,
    pub(super) events: EventIndex,
    pub(super) audit: VecDeque<AuditEntry>,
    /// Number of audit records removed; they were the oldest.
    pub(super) audit_removed: usize,
    pub(super) receipts: ReceiptIndex,
}

impl ScopeData {
    /// Returns whether the scope contains no data.
    pub(super) fn is_empty(&self) -> bool {
        self.documents.values().all(DocumentMap::is_empty)
            && self.streams.is_empty()
            && self.events.iter().next().is_none()
            && self.audit.is_empty()
            && self.receipts.is_empty()
    }

    pub(super) fn audit_page(&self, filter: &AuditFilter, page: &PageRequest) -> Result<Page<AuditEntry>> {
        let limit = page.limit.max(1);
        let gone = self.audit_removed;
        let skip = resume_index(AUDIT, page)?.saturating_sub(gone);
        let rest = (gone..).zip(&self.audit).skip(skip);
        let found = rest.filter(|(_, entry)| filter.matches(entry)).take(limit.saturating_add(1));
        let items = found.map(|(place, entry)| (place, entry.clone())).collect();
        let cut = Page::from_lookahead(items, limit, |(place, _)| PageToken::new(AUDIT, [(place + 1).to_string()]));
        Ok(cut.map(|(_, entry)| entry))
    }
}

/// Checks the token of a page when there are no audit records to list.
pub(super) fn check_audit_page(page: &PageRequest) -> Result<()> {
    resume_index(AUDIT, page).map(drop)
}

/// The log of one stream.
#[derive(Default)]
pub(super) struct StreamLog {
    /// Number of events that were trimmed.
    trimmed_count: u64,
    events: VecDeque<StreamEvent>,
    deleted: bool,
}

impl StreamLog {
    /// Creates a stream without events whose next event has the sequence `first`.
    pub(super) fn starting_at(first: Seq, deleted: bool) -> Self {
        Self { trimmed_count: first.0.saturating_sub(1), events: VecDeque::new(), deleted }
    }

    /// Appends an existing event if it is the next one; returns `false` otherwise.
    pub(super) fn restore(&mut self, event: StreamEvent) -> bool {
        let next = event.seq == self.head().seq.next();
        if next {
            self.events.push_back(event);
        }
        next
    }

    /// Returns every stored event.
    pub(super) fn iter_events(&self) -> impl Iterator<Item = &StreamEvent> {
        self.events.iter()
    }

    pub(super) fn head(&self) -> StreamHead {
        let seq = Seq(self.trimmed_count + self.events.len() as u64);
        StreamHead { seq, first: Seq(self.trimmed_count + 1), deleted: self.deleted }
    }

    /// Returns the stored events.
    pub(super) fn events(&self) -> impl Iterator<Item = &StreamEvent> {
        self.events.iter()
    }

    /// Creates an empty log that starts after `trimmed` trimmed events.
    pub(super) fn with_trimmed(trimmed: u64, deleted: bool) -> Self {
        Self { trimmed_count: trimmed, deleted, ..Self::default() }
    }

    /// Appends events. Returns the sequences of the first and the last one.
    pub(super) fn append(&mut self, events: Vec<NewEvent>) -> (Seq, Seq) {
        let first = self.head().seq.next();
        for (seq, event) in (first.0..).zip(events) {
            self.events.push_back(StreamEvent { seq: Seq(seq), event });
        }
        (first, self.head().seq)
    }

    /// Drops the events before `first`, which is at most one past the head. Returns the number of bytes freed.
    pub(super) fn trim(&mut self, first: Seq) -> usize {
        let mut freed = 0;
        while self.trimmed_count + 1 < first.0 {
            let Some(event) = self.events.pop_front() else { break };
            self.trimmed_count += 1;
            freed += ITEM_OVERHEAD_BYTES + event.event.size();
        }
        freed
    }

    /// Drops all events and marks the stream as deleted. Returns the number of bytes freed.
    pub(super) fn delete(&mut self) -> usize {
        self.deleted = true;
        self.trim(self.head().seq.next())
    }

    pub(super) fn read(&self, after: Seq, limit: usize, max_bytes: usize) -> Vec<StreamEvent> {
        let skip = usize::try_from(after.0.saturating_sub(self.trimmed_count)).unwrap_or(usize::MAX);
        let mut bytes = 0_usize;
        let rest = self.events.iter().skip(skip).take(limit);
        rest.take_while(|event| {
            let fits = bytes == 0 || bytes.saturating_add(event.event.size()) <= max_bytes;
            bytes += event.event.size().max(1);
            fits
        })
        .cloned()
        .collect()
    }
}
