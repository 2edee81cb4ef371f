//! What one scope holds.

use std::collections::{HashMap, VecDeque};

use engines_core::{
    Code, Error, Result,
    audit::{AuditEntry, AuditFilter},
    nexus::{Head, Kind, Page, PageToken, Paged},
    stream::{NewEvent, Seq, StreamEvent, StreamKey},
};

use super::{documents::Documents, events::Events, receipts::Receipts};

/// Bytes counted for each kept thing besides its content.
pub(super) const OVERHEAD: usize = 256;

const AUDIT: &str = "audit";

/// What one scope holds.
#[derive(Default)]
pub(super) struct Space {
    pub(super) documents: HashMap<Kind, Documents>,
    pub(super) streams: HashMap<StreamKey, Log>,
    pub(super) events: Events,
    pub(super) audit: VecDeque<AuditEntry>,
    /// How many audit records were removed; they were the oldest.
    pub(super) audit_removed: usize,
    pub(super) receipts: Receipts,
}

impl Space {
    /// Whether nothing is stored in it.
    pub(super) fn is_empty(&self) -> bool {
        self.documents.values().all(Documents::is_empty)
            && self.streams.is_empty()
            && self.events.all().next().is_none()
            && self.audit.is_empty()
            && self.receipts.is_empty()
    }

    pub(super) fn audit(&self, filter: &AuditFilter, page: &Page) -> Result<Paged<AuditEntry>> {
        let limit = page.limit.max(1);
        let gone = self.audit_removed;
        let skip = resume(AUDIT, page)?.saturating_sub(gone);
        let rest = (gone..).zip(&self.audit).skip(skip);
        let found = rest.filter(|(_, entry)| filter.matches(entry)).take(limit.saturating_add(1));
        let items = found.map(|(place, entry)| (place, entry.clone())).collect();
        let cut = Paged::cut(items, limit, |(place, _)| PageToken::new(AUDIT, [(place + 1).to_string()]));
        Ok(cut.map(|(_, entry)| entry))
    }
}

/// Checks the token of a page of nothing.
pub(super) fn check_audit_page(page: &Page) -> Result<()> {
    resume(AUDIT, page).map(drop)
}

/// How many items come before the page.
pub(super) fn resume(list: &'static str, page: &Page) -> Result<usize> {
    let Some(text) = &page.after else { return Ok(0) };
    let [place] = PageToken::decode(list, text)?;
    place
        .parse()
        .map_err(|_| Error::new(Code::CursorInvalid, "memory.page", "the cursor is malformed; use `next` unchanged"))
}

/// One stream.
#[derive(Default)]
pub(super) struct Log {
    /// How many events retention took.
    trimmed: u64,
    events: VecDeque<StreamEvent>,
    deleted: bool,
}

impl Log {
    /// A stream whose first kept event will be `first`, and which has none yet.
    pub(super) fn beginning_at(first: Seq, deleted: bool) -> Self {
        Self { trimmed: first.0.saturating_sub(1), events: VecDeque::new(), deleted }
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
    pub(super) fn all(&self) -> impl Iterator<Item = &StreamEvent> {
        self.events.iter()
    }

    pub(super) fn head(&self) -> Head {
        let seq = Seq(self.trimmed + self.events.len() as u64);
        Head { seq, first: Seq(self.trimmed + 1), deleted: self.deleted }
    }

    /// The events that are kept.
    pub(super) fn events(&self) -> impl Iterator<Item = &StreamEvent> {
        self.events.iter()
    }

    /// An empty log that begins after so many events that are not kept.
    pub(super) fn after(trimmed: u64, deleted: bool) -> Self {
        Self { trimmed, deleted, ..Self::default() }
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
        while self.trimmed + 1 < first.0 {
            let Some(event) = self.events.pop_front() else { break };
            self.trimmed += 1;
            freed += OVERHEAD + event.event.size();
        }
        freed
    }

    /// Forgets all events for good; returns the bytes freed.
    pub(super) fn delete(&mut self) -> usize {
        self.deleted = true;
        self.trim(self.head().seq.next())
    }

    pub(super) fn read(&self, after: Seq, limit: usize, max_bytes: usize) -> Vec<StreamEvent> {
        let skip = usize::try_from(after.0.saturating_sub(self.trimmed)).unwrap_or(usize::MAX);
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
