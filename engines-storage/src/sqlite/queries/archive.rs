//! Reads whole scopes, section by section, in the order of [`Section`].

use engines_core::{
    Result,
    nexus::{
        DocumentKind, Idempotency, Page, PageRequest, PageToken,
        archive::{ArchiveRecord, ScopeCounters, Section, StoredReceipt},
    },
    stream::{Seq, StreamKey},
};
use rusqlite::{Connection, Row, params};

use super::{
    audit, events,
    page::{cursor_invalid, limit_plus_one},
};
use crate::sqlite::{
    documents::read_row,
    error::SqliteFailure,
    scopes::AUDIT_BITS,
    streams::{self, column_error, read_timestamp, read_u64},
};

/// Maximum bytes of content in one page; a page contains at least one record.
const PAGE_BYTES: usize = 4 << 20;

/// Where a page of a section starts: after two texts and a number. Each section uses those that it is ordered by.
struct SectionCursor {
    first_text: String,
    second_text: String,
    number: i64,
}

impl SectionCursor {
    fn read(section: Section, page: &PageRequest) -> Result<Self> {
        let Some(text) = &page.after else {
            return Ok(Self { first_text: String::new(), second_text: String::new(), number: 0 });
        };
        let [one, two, number] = PageToken::decode(section.as_str(), text)?;
        let number = number.parse().ok().filter(|number: &i64| *number >= 0).ok_or_else(cursor_invalid)?;
        Ok(Self { first_text: one, second_text: two, number })
    }
}

/// Returns a query that reads a page of a section. The token is checked now; the query runs on a connection.
#[expect(clippy::type_complexity, reason = "an `impl Trait` cannot be named")]
pub(in crate::sqlite) fn read_section(
    section: Section,
    page: PageRequest,
) -> Result<impl FnOnce(&Connection, Option<i64>) -> Result<Page<ArchiveRecord>, SqliteFailure>> {
    let after = SectionCursor::read(section, &page)?;
    let limit = page.limit.max(1);
    Ok(move |connection: &Connection, scope: Option<i64>| {
        let Some(scope) = scope else {
            let items = match section {
                Section::Counters if after.number == 0 => vec![ArchiveRecord::Counters(ScopeCounters::default())],
                _ => Vec::new(),
            };
            return Ok(Page { items, next: None });
        };
        match section {
            Section::Counters => counters(connection, scope),
            Section::Documents => documents(connection, scope, &after, limit),
            Section::Streams => all_streams(connection, scope, &after, limit),
            Section::StreamEvents => stream_events(connection, scope, &after, limit),
            Section::Events => dataset_events(connection, scope, &after, limit),
            Section::Audit => audit_records(connection, scope, &after, limit),
            Section::Receipts => receipts(connection, scope, &after, limit),
        }
    })
}

fn counters(connection: &Connection, scope: i64) -> Result<Page<ArchiveRecord>, SqliteFailure> {
    let base = scope << AUDIT_BITS;
    let events: i64 = connection
        .prepare_cached("SELECT events FROM scopes WHERE scope_id = ?1")?
        .query_row([scope], |row| row.get(0))?;
    let audit: Option<i64> = connection
        .prepare_cached("SELECT max(rowkey) FROM audit WHERE rowkey > ?1 AND rowkey < ?2")?
        .query_row([base, base + (1 << AUDIT_BITS)], |row| row.get(0))?;
    let counters = ScopeCounters {
        events: Seq(events.unsigned_abs()),
        audit: audit.map_or(0, |rowkey| (rowkey - base).unsigned_abs()),
    };
    Ok(Page { items: vec![ArchiveRecord::Counters(counters)], next: None })
}

/// Collects records until the page has enough of them or enough bytes.
struct RecordPage {
    section: Section,
    limit: usize,
    items: Vec<ArchiveRecord>,
    last: Option<(String, String, i64)>,
    bytes: usize,
    more: bool,
}

impl RecordPage {
    fn new(section: Section, limit: usize) -> Self {
        Self { section, limit, items: Vec::new(), last: None, bytes: 0, more: false }
    }

    /// Adds a record; returns `false` when it does not fit.
    fn push(&mut self, record: ArchiveRecord, at: (String, String, i64)) -> bool {
        self.bytes += record.size() + 64;
        if self.items.len() == self.limit || (self.bytes > PAGE_BYTES && !self.items.is_empty()) {
            self.more = true;
            return false;
        }
        self.items.push(record);
        self.last = Some(at);
        true
    }

    /// Returns the page; its token continues after the last record if there are more.
    fn into_page(self) -> Page<ArchiveRecord> {
        let token = |(one, two, number): (String, String, i64)| {
            PageToken::new(self.section.as_str(), [one, two, number.to_string()]).encode()
        };
        Page { items: self.items, next: self.last.filter(|_| self.more).map(token) }
    }
}

fn documents(
    connection: &Connection,
    scope: i64,
    after: &SectionCursor,
    limit: usize,
) -> Result<Page<ArchiveRecord>, SqliteFailure> {
    const SQL: &str = "SELECT id, version, created_at, updated_at, tags, body, kind FROM documents \
                       WHERE scope_id = ?1 AND (kind, id) > (?2, ?3) ORDER BY kind, id LIMIT ?4";
    let mut statement = connection.prepare_cached(SQL)?;
    let mut rows = statement.query(params![scope, after.first_text, after.second_text, limit_plus_one(limit)])?;
    let mut page = RecordPage::new(Section::Documents, limit);
    while let Some(row) = rows.next()? {
        let kind =
            DocumentKind::new(row.get_ref(6)?.as_str().map_err(rusqlite::Error::from)?).map_err(|_| column_error(6))?;
        let document = read_row(row, &kind)?.to_document();
        let at = (kind.as_str().to_owned(), document.id.to_string(), 0);
        if !page.push(ArchiveRecord::Document(document), at) {
            break;
        }
    }
    Ok(page.into_page())
}

/// Reads a row with the columns `key, stream_id, head, first, deleted <> 0`.
fn stream_of(row: &Row<'_>) -> rusqlite::Result<(StreamKey, streams::StreamRow)> {
    let key = row.get_ref(0)?.as_str()?.parse().map_err(|_| column_error(0))?;
    Ok((key, streams::read_row(row, 1)?))
}

fn all_streams(
    connection: &Connection,
    scope: i64,
    after: &SectionCursor,
    limit: usize,
) -> Result<Page<ArchiveRecord>, SqliteFailure> {
    const SQL: &str = "SELECT key, stream_id, head, first, deleted <> 0 FROM streams WHERE scope_id = ?1 AND key > ?2 ORDER BY key LIMIT ?3";
    let mut statement = connection.prepare_cached(SQL)?;
    let mut rows = statement.query(params![scope, after.first_text, limit_plus_one(limit)])?;
    let mut page = RecordPage::new(Section::Streams, limit);
    while let Some(row) = rows.next()? {
        let (key, stream) = stream_of(row)?;
        let at = (key.as_str().to_owned(), String::new(), 0);
        if !page.push(ArchiveRecord::Stream(key, stream.head), at) {
            break;
        }
    }
    Ok(page.into_page())
}

fn stream_events(
    connection: &Connection,
    scope: i64,
    after: &SectionCursor,
    limit: usize,
) -> Result<Page<ArchiveRecord>, SqliteFailure> {
    const STREAMS: &str =
        "SELECT key, stream_id, head, first, deleted <> 0 FROM streams WHERE scope_id = ?1 AND key >= ?2 ORDER BY key";
    const EVENTS: &str = "SELECT rowkey, event_id, type, ts, actor_id, actor_type, attributes, data FROM stream_events \
                          WHERE rowkey > ?1 AND rowkey <= ?2 ORDER BY rowkey LIMIT ?3";
    let mut of_streams = connection.prepare_cached(STREAMS)?;
    let mut of_events = connection.prepare_cached(EVENTS)?;
    let mut streams = of_streams.query(params![scope, after.first_text])?;
    let mut page = RecordPage::new(Section::StreamEvents, limit);
    while let Some(row) = streams.next()? {
        let (key, stream) = stream_of(row)?;
        let read = if key.as_str() == after.first_text { after.number.unsigned_abs() } else { 0 };
        let from = Seq(read.max(stream.head.first.0.saturating_sub(1)));
        let (Some(from), Some(to)) = (stream.rowkey(from), stream.rowkey(stream.head.seq)) else {
            return Err(column_error(0).into());
        };
        let mut events = of_events.query(params![from, to, limit_plus_one(limit - page.items.len())])?;
        while let Some(row) = events.next()? {
            let (event, _) = streams::read_event(row)?;
            let at = (key.as_str().to_owned(), String::new(), i64::try_from(event.seq.0).unwrap_or(i64::MAX));
            if !page.push(ArchiveRecord::StreamEvent(key.clone(), event), at) {
                return Ok(page.into_page());
            }
        }
    }
    Ok(page.into_page())
}

fn dataset_events(
    connection: &Connection,
    scope: i64,
    after: &SectionCursor,
    limit: usize,
) -> Result<Page<ArchiveRecord>, SqliteFailure> {
    let mut statement = connection.prepare_cached(events::WITH_POSITION)?;
    let mut rows = statement.query(params![scope, after.number, limit_plus_one(limit)])?;
    let mut page = RecordPage::new(Section::Events, limit);
    while let Some(row) = rows.next()? {
        let position: i64 = row.get(0)?;
        let (event, _) = events::event(row, 1)?;
        let at = (String::new(), String::new(), i64::try_from(event.seq.0).unwrap_or(i64::MAX));
        let position = u64::try_from(position).ok().filter(|position| *position > 0);
        if !page.push(ArchiveRecord::Event(position, event), at) {
            break;
        }
    }
    Ok(page.into_page())
}

fn audit_records(
    connection: &Connection,
    scope: i64,
    after: &SectionCursor,
    limit: usize,
) -> Result<Page<ArchiveRecord>, SqliteFailure> {
    let base = scope << AUDIT_BITS;
    let mut statement = connection.prepare_cached(audit::BY_ROWKEY)?;
    let mut rows = statement.query(params![base + after.number, base + (1 << AUDIT_BITS), limit_plus_one(limit)])?;
    let mut page = RecordPage::new(Section::Audit, limit);
    while let Some(row) = rows.next()? {
        let ((rowkey, entry), _) = audit::audit_row(row)?;
        let number = rowkey - base;
        if !page.push(ArchiveRecord::Audit(number.unsigned_abs(), entry), (String::new(), String::new(), number)) {
            break;
        }
    }
    Ok(page.into_page())
}

fn receipts(
    connection: &Connection,
    scope: i64,
    after: &SectionCursor,
    limit: usize,
) -> Result<Page<ArchiveRecord>, SqliteFailure> {
    const SQL: &str = "SELECT rowkey, realm, key, fingerprint, receipt, at FROM once INDEXED BY once_by_scope \
                       WHERE scope_id = ?1 AND rowkey > ?2 ORDER BY rowkey LIMIT ?3";
    let mut statement = connection.prepare_cached(SQL)?;
    let mut rows = statement.query(params![scope, after.number, limit_plus_one(limit)])?;
    let mut page = RecordPage::new(Section::Receipts, limit);
    while let Some(row) = rows.next()? {
        let receipt: engines_core::nexus::CommitReceipt =
            serde_json::from_str(row.get_ref(4)?.as_str().map_err(rusqlite::Error::from)?)
                .map_err(|_| column_error(4))?;
        let once = Idempotency {
            namespace: row.get(1)?,
            key: row.get(2)?,
            fingerprint: row.get(3)?,
            note: receipt.note.clone(),
        };
        let kept = StoredReceipt { idempotency: once, receipt, at: read_timestamp(row, 5)? };
        if !page.push(ArchiveRecord::Receipt(kept), (String::new(), String::new(), row.get(0)?)) {
            break;
        }
    }
    Ok(page.into_page())
}

/// Returns the highest feed position that was assigned.
pub(in crate::sqlite) fn feed_position(connection: &Connection) -> Result<u64, SqliteFailure> {
    const SQL: &str = "SELECT max(0, coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'dataset_events'), 0))";
    Ok(connection.prepare_cached(SQL)?.query_row([], |row| read_u64(row, 0))?)
}
