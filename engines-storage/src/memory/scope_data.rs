//! What one scope holds.

use std::collections::{HashMap, VecDeque};

use engines_core::{
    Code, Error, Result,
    audit::{AuditEntry, AuditFilter},
    nexus::{DocumentKind, Page, PageRequest, PageToken, StreamHead},
    stream::{NewEvent, Seq, StreamEvent, StreamKey},
};

use super::{documents::DocumentMap, events::EventIndex, receipts::ReceiptIndex};

/// Bytes counted for each kept thing besides its content.
pub(super) const ITEM_OVERHEAD_BYTES: usize = 256;

const AUDIT: &str = "audit";

/// What one scope holds.
#[derive(Default)]
pub(super) struct ScopeData {
    pub(super) documents: HashMap<DocumentKind, DocumentMap>,
    pub(super) streams: HashMap<StreamKey, StreamLog>,
    pub(super) events: EventIndex,
    pub(super) audit: VecDeque<AuditEntry>,
    /// How many audit records were removed; they were the oldest.
    pub(super) audit_removed: usize,
    pub(super) receipts: ReceiptIndex,
}

impl ScopeData {
    /// Whether nothing is stored in it.
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

/// Checks the token of a page of nothing.
pub(super) fn check_audit_page(page: &PageRequest) -> Result<()> {
    resume_index(AUDIT, page).map(drop)
}

/// How many items come before the page.
pub(super) fn resume_index(list: &'static str, page: &PageRequest) -> Result<usize> {
    let Some(text) = &page.after else { return Ok(0) };
    let [place] = PageToken::decode(list, text)?;
    place
        .parse()
        .map_err(|_| Error::new(Code::CursorInvalid, "memory.page", "the cursor is malformed; use `next` unchanged"))
}

/// One stream.
#[derive(Default)]
pub(super) struct StreamLog {
    /// How many events retention took.
    trimmed_count: u64,
    events: VecDeque<StreamEvent>,
    deleted: bool,
}

impl StreamLog {
    /// A stream whose first kept event will be `first`, and which has none yet.
    pub(super) fn starting_at(first: Seq, deleted: bool) -> Self {
        Self { trimmed_count: first.0.saturating_sub(1), events: VecDeque::new(), deleted }
    }

    /// Puts back an event, if it is the next one.
    pub(super) fn restore(&mut self, event: StreamEvent) -> bool {
        let next = event.seq == self.head().seq.next();
        if next {
            self.events.push_back(event);
        }
        next
    }

    /// Every kept event.
    pub(super) fn iter_events(&self) -> impl Iterator<Item = &StreamEvent> {
        self.events.iter()
    }

    pub(super) fn head(&self) -> StreamHead {
        let seq = Seq(self.trimmed_count + self.events.len() as u64);
        StreamHead { seq, first: Seq(self.trimmed_count + 1), deleted: self.deleted }
    }

    /// The events that are kept.
    pub(super) fn events(&self) -> impl Iterator<Item = &StreamEvent> {
        self.events.iter()
    }

    /// An empty log that begins after so many events that are not kept.
    pub(super) fn with_trimmed(trimmed: u64, deleted: bool) -> Self {
        Self { trimmed_count: trimmed, deleted, ..Self::default() }
    }

    /// Appends; returns the first and last place.
    pub(super) fn append(&mut self, events: Vec<NewEvent>) -> (Seq, Seq) {
        let first = self.head().seq.next();
        for (seq, event) in (first.0..).zip(events) {
            self.events.push_back(StreamEvent { seq: Seq(seq), event });
        }
        (first, self.head().seq)
    }

    /// Forgets what is before `first`, which is at most one past the head; returns the bytes freed.
    pub(super) fn trim(&mut self, first: Seq) -> usize {
        let mut freed = 0;
        while self.trimmed_count + 1 < first.0 {
            let Some(event) = self.events.pop_front() else { break };
            self.trimmed_count += 1;
            freed += ITEM_OVERHEAD_BYTES + event.event.size();
        }
        freed
    }

    /// Forgets all events for good; returns the bytes freed.
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
