//! The documents of one kind in one scope, indexed by id and by time of writing.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

use engines_core::{
    Code, DocId, Error, Result, Timestamp,
    nexus::{Document, DocumentQuery, NewDocument, Page, PageRequest, PageToken, QueryOrder},
};

const BY_ID: &str = "documents.id";
const BY_TIME: &str = "documents.updated";

/// The documents of one kind.
#[derive(Default)]
pub(super) struct DocumentMap {
    by_id: BTreeMap<DocId, Document>,
    by_time: BTreeSet<(Timestamp, DocId)>,
}

impl DocumentMap {
    pub(super) fn get(&self, id: &DocId) -> Option<&Document> {
        self.by_id.get(id)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// Returns all documents, ordered by id.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Document> {
        self.by_id.values()
    }

    /// Inserts a document unchanged. Returns `false` when there is one with its id already.
    pub(super) fn restore(&mut self, document: Document) -> bool {
        if self.by_id.contains_key(&document.id) {
            return false;
        }
        self.by_time.insert((document.updated_at, document.id.clone()));
        self.by_id.insert(document.id.clone(), document);
        true
    }

    /// Writes a document. Returns the new version and the number of bytes freed.
    pub(super) fn put(&mut self, new: NewDocument, at: Timestamp) -> (u64, usize) {
        let old = self.take(&new.id);
        let freed = old.as_ref().map_or(0, document_size);
        let version = old.as_ref().map_or(0, |old| old.version) + 1;
        let NewDocument { kind, id, tags, body } = new;
        self.by_time.insert((at, id.clone()));
        let document = Document {
            kind,
            id: id.clone(),
            version,
            created_at: old.map_or(at, |old| old.created_at),
            updated_at: at,
            tags,
            body,
        };
        self.by_id.insert(id, document);
        (version, freed)
    }

    /// Deletes a document. Returns the number of bytes freed.
    pub(super) fn delete(&mut self, id: &DocId) -> usize {
        self.take(id).as_ref().map_or(0, document_size)
    }

    /// Deletes an arbitrary document. Returns the number of bytes freed, or `None` when there was no document.
    pub(super) fn delete_any(&mut self) -> Option<usize> {
        let id = self.by_id.keys().next()?.clone();
        Some(self.delete(&id))
    }

    fn take(&mut self, id: &DocId) -> Option<Document> {
        let old = self.by_id.remove(id)?;
        self.by_time.remove(&(old.updated_at, id.clone()));
        Some(old)
    }

    pub(super) fn query(&self, query: &DocumentQuery, page: &PageRequest) -> Result<Page<Document>> {
        let wanted = |document: &&Document| query.tags.iter().all(|tag| document.tags.contains(tag));
        let limit = page.limit.max(1);
        let count = limit.saturating_add(1);
        let range = IdRange::new(query);
        match query.order {
            QueryOrder::IdAscending => {
                let range = range.after_id(resume_id(page)?);
                let items = range.select(&self.by_id).filter(wanted).take(count);
                Ok(Page::from_lookahead(items.cloned().collect(), limit, token_by_id))
            }
            QueryOrder::IdDescending => {
                let range = range.before_id(resume_id(page)?);
                let items = range.select(&self.by_id).rev().filter(wanted).take(count);
                Ok(Page::from_lookahead(items.cloned().collect(), limit, token_by_id))
            }
            QueryOrder::UpdatedDescending => {
                let end = resume_time(page)?.map_or(Bound::Unbounded, Bound::Excluded);
                let newest = self.by_time.range((Bound::Unbounded, end)).rev();
                let items = newest
                    .filter(|(_, id)| range.contains(id))
                    .filter_map(|(_, id)| self.by_id.get(id))
                    .filter(wanted)
                    .take(count);
                Ok(Page::from_lookahead(items.cloned().collect(), limit, token_by_time))
            }
        }
    }
}

/// Checks the token of a page when there are no documents to list.
pub(super) fn check_page(query: &DocumentQuery, page: &PageRequest) -> Result<()> {
    match query.order {
        QueryOrder::UpdatedDescending => resume_time(page).map(drop),
        _ => resume_id(page).map(drop),
    }
}

pub(super) fn document_size(document: &Document) -> usize {
    super::sizes::ITEM_OVERHEAD_BYTES + document.body.get().len() + document.tags.iter().map(String::len).sum::<usize>()
}

fn token_by_id(last: &Document) -> PageToken {
    PageToken::new(BY_ID, [last.id.to_string()])
}

fn token_by_time(last: &Document) -> PageToken {
    PageToken::new(BY_TIME, [last.updated_at.as_millis().to_string(), last.id.to_string()])
}

fn cursor_invalid() -> Error {
    Error::new(Code::CursorInvalid, "memory.query", "the cursor is malformed; use `next` unchanged")
}

fn resume_id(page: &PageRequest) -> Result<Option<DocId>> {
    let Some(text) = &page.after else { return Ok(None) };
    let [id] = PageToken::decode(BY_ID, text)?;
    DocId::new(id).map(Some).map_err(|_| cursor_invalid())
}

fn resume_time(page: &PageRequest) -> Result<Option<(Timestamp, DocId)>> {
    let Some(text) = &page.after else { return Ok(None) };
    let [millis, id] = PageToken::decode(BY_TIME, text)?;
    let millis = millis.parse().map_err(|_| cursor_invalid())?;
    Ok(Some((Timestamp::from_millis(millis), DocId::new(id).map_err(|_| cursor_invalid())?)))
}

/// A range of ids that may be empty: `BTreeMap::range` panics when the start is greater than the end.
struct IdRange {
    start: Bound<DocId>,
    end: Bound<DocId>,
}

impl IdRange {
    fn new(query: &DocumentQuery) -> Self {
        let bound = |id: &Option<DocId>| id.clone().map_or(Bound::Unbounded, Bound::Included);
        Self { start: bound(&query.from_id), end: bound(&query.to_id) }
    }

    /// Excludes all ids up to and including `id`.
    fn after_id(mut self, id: Option<DocId>) -> Self {
        if let Some(id) = id
            && !matches!(&self.start, Bound::Included(start) if *start > id)
        {
            self.start = Bound::Excluded(id);
        }
        self
    }

    /// Excludes `id` and all ids after it.
    fn before_id(mut self, id: Option<DocId>) -> Self {
        if let Some(id) = id
            && !matches!(&self.end, Bound::Included(end) if *end < id)
        {
            self.end = Bound::Excluded(id);
        }
        self
    }

    fn contains(&self, id: &DocId) -> bool {
        use std::ops::RangeBounds;
        (self.start.as_ref(), self.end.as_ref()).contains(id)
    }

    fn select(self, map: &BTreeMap<DocId, Document>) -> impl DoubleEndedIterator<Item = &Document> {
        let empty = match (&self.start, &self.end) {
            (Bound::Included(start), Bound::Included(end)) => start > end,
            (Bound::Included(start) | Bound::Excluded(start), Bound::Included(end) | Bound::Excluded(end)) => {
                start >= end
            }
            _ => false,
        };
        let range = (!empty).then(|| map.range((self.start, self.end)));
        range.into_iter().flatten().map(|(_, document)| document)
    }
}
