//! Whole scopes, section by section, in the order that [`Section`] states.

use engines_core::{
    Error, Result, Scope, TenantId,
    nexus::{
        Kind, Once, Page, PageToken, Paged,
        archive::{Counters, KeptReceipt, Record, Section},
    },
    stream::{Seq, StreamKey},
};
use rusqlite::{Connection, Row, params};

use super::{
    audit, events,
    page::{malformed, one_more},
};
use crate::sqlite::{
    archive,
    documents::stored,
    error::Failure,
    scopes::AUDIT_BITS,
    streams::{self, bad, timestamp, unsigned},
};

const SCOPES: &str = "archive.scopes";
/// Bytes of content in one page, at the most, but always at least one record.
const PAGE_BYTES: usize = 4 << 20;

/// Where a page of a section begins: behind two texts and a number, of which each section uses what it is ordered by.
struct After {
    one: String,
    two: String,
    number: i64,
}

impl After {
    fn read(section: Section, page: &Page) -> Result<Self> {
        let Some(text) = &page.after else { return Ok(Self { one: String::new(), two: String::new(), number: 0 }) };
        let [one, two, number] = PageToken::decode(section.as_str(), text)?;
        let number = number.parse().ok().filter(|number: &i64| *number >= 0).ok_or_else(malformed)?;
        Ok(Self { one, two, number })
    }
}

/// Reads a page of a section; the token is checked at once, the rest is for a connection.
#[expect(clippy::type_complexity, reason = "an `impl Trait` cannot be named")]
pub(in crate::sqlite) fn section(
    section: Section,
    page: Page,
) -> Result<impl FnOnce(&Connection, Option<i64>) -> Result<Paged<Record>, Failure>> {
    let after = After::read(section, &page)?;
    let limit = page.limit.max(1);
    Ok(move |connection: &Connection, scope: Option<i64>| {
        let Some(scope) = scope else {
            let items = match section {
                Section::Counters if after.number == 0 => vec![Record::Counters(Counters::default())],
                _ => Vec::new(),
            };
            return Ok(Paged { items, next: None });
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

fn counters(connection: &Connection, scope: i64) -> Result<Paged<Record>, Failure> {
    let base = scope << AUDIT_BITS;
    let events: i64 = connection
        .prepare_cached("SELECT events FROM scopes WHERE scope_id = ?1")?
        .query_row([scope], |row| row.get(0))?;
    let audit: Option<i64> = connection
        .prepare_cached("SELECT max(place) FROM audit WHERE place > ?1 AND place < ?2")?
        .query_row([base, base + (1 << AUDIT_BITS)], |row| row.get(0))?;
    let counters =
        Counters { events: Seq(events.unsigned_abs()), audit: audit.map_or(0, |place| (place - base).unsigned_abs()) };
    Ok(Paged { items: vec![Record::Counters(counters)], next: None })
}

/// Collects records until there are enough of them or of their bytes.
struct Collected {
    section: Section,
    limit: usize,
    items: Vec<Record>,
    last: Option<(String, String, i64)>,
    bytes: usize,
    more: bool,
}

impl Collected {
    fn new(section: Section, limit: usize) -> Self {
        Self { section, limit, items: Vec::new(), last: None, bytes: 0, more: false }
    }

    /// Takes a record; false when it does not fit any more.
    fn take(&mut self, record: Record, at: (String, String, i64)) -> bool {
        self.bytes += record.size() + 64;
        if self.items.len() == self.limit || (self.bytes > PAGE_BYTES && !self.items.is_empty()) {
            self.more = true;
            return false;
        }
        self.items.push(record);
        self.last = Some(at);
        true
    }

    /// The page; it goes on behind its last record if there is more.
    fn page(self) -> Paged<Record> {
        let token = |(one, two, number): (String, String, i64)| {
            PageToken::new(self.section.as_str(), [one, two, number.to_string()]).encode()
        };
        Paged { items: self.items, next: self.last.filter(|_| self.more).map(token) }
    }
}

fn documents(connection: &Connection, scope: i64, after: &After, limit: usize) -> Result<Paged<Record>, Failure> {
    const SQL: &str = "SELECT id, version, created_at, updated_at, tags, body, kind FROM documents \
                       WHERE scope_id = ?1 AND (kind, id) > (?2, ?3) ORDER BY kind, id LIMIT ?4";
    let mut statement = connection.prepare_cached(SQL)?;
    let mut rows = statement.query(params![scope, after.one, after.two, one_more(limit)])?;
    let mut page = Collected::new(Section::Documents, limit);
    while let Some(row) = rows.next()? {
        let kind = Kind::new(row.get_ref(6)?.as_str().map_err(rusqlite::Error::from)?).map_err(|_| bad(6))?;
        let document = stored(row, &kind)?.to_document();
        let at = (kind.as_str().to_owned(), document.id.to_string(), 0);
        if !page.take(Record::Document(document), at) {
            break;
        }
    }
    Ok(page.page())
}

/// A row of `key, stream_id, head, first, deleted <> 0`.
fn stream_of(row: &Row<'_>) -> rusqlite::Result<(StreamKey, streams::Stream)> {
    let key = row.get_ref(0)?.as_str()?.parse().map_err(|_| bad(0))?;
    Ok((key, streams::row(row, 1)?))
}

fn all_streams(connection: &Connection, scope: i64, after: &After, limit: usize) -> Result<Paged<Record>, Failure> {
    const SQL: &str = "SELECT key, stream_id, head, first, deleted <> 0 FROM streams WHERE scope_id = ?1 AND key > ?2 ORDER BY key LIMIT ?3";
    let mut statement = connection.prepare_cached(SQL)?;
    let mut rows = statement.query(params![scope, after.one, one_more(limit)])?;
    let mut page = Collected::new(Section::Streams, limit);
    while let Some(row) = rows.next()? {
        let (key, stream) = stream_of(row)?;
        let at = (key.as_str().to_owned(), String::new(), 0);
        if !page.take(Record::Stream(key, stream.head), at) {
            break;
        }
    }
    Ok(page.page())
}

fn stream_events(connection: &Connection, scope: i64, after: &After, limit: usize) -> Result<Paged<Record>, Failure> {
    const STREAMS: &str =
        "SELECT key, stream_id, head, first, deleted <> 0 FROM streams WHERE scope_id = ?1 AND key >= ?2 ORDER BY key";
    const EVENTS: &str = "SELECT place, event_id, type, ts, actor_id, actor_type, attributes, data FROM stream_events \
                          WHERE place > ?1 AND place <= ?2 ORDER BY place LIMIT ?3";
    let mut of_streams = connection.prepare_cached(STREAMS)?;
    let mut of_events = connection.prepare_cached(EVENTS)?;
    let mut streams = of_streams.query(params![scope, after.one])?;
    let mut page = Collected::new(Section::StreamEvents, limit);
    while let Some(row) = streams.next()? {
        let (key, stream) = stream_of(row)?;
        let read = if key.as_str() == after.one { after.number.unsigned_abs() } else { 0 };
        let from = Seq(read.max(stream.head.first.0.saturating_sub(1)));
        let (Some(from), Some(to)) = (stream.place(from), stream.place(stream.head.seq)) else {
            return Err(bad(0).into());
        };
        let mut events = of_events.query(params![from, to, one_more(limit - page.items.len())])?;
        while let Some(row) = events.next()? {
            let (event, _) = streams::event(row)?;
            let at = (key.as_str().to_owned(), String::new(), i64::try_from(event.seq.0).unwrap_or(i64::MAX));
            if !page.take(Record::StreamEvent(key.clone(), event), at) {
                return Ok(page.page());
            }
        }
    }
    Ok(page.page())
}

fn dataset_events(connection: &Connection, scope: i64, after: &After, limit: usize) -> Result<Paged<Record>, Failure> {
    let mut statement = connection.prepare_cached(events::WITH_POSITION)?;
    let mut rows = statement.query(params![scope, after.number, one_more(limit)])?;
    let mut page = Collected::new(Section::Events, limit);
    while let Some(row) = rows.next()? {
        let position: i64 = row.get(0)?;
        let (event, _) = events::event(row, 1)?;
        let at = (String::new(), String::new(), i64::try_from(event.seq.0).unwrap_or(i64::MAX));
        let position = u64::try_from(position).ok().filter(|position| *position > 0);
        if !page.take(Record::Event(position, event), at) {
            break;
        }
    }
    Ok(page.page())
}

fn audit_records(connection: &Connection, scope: i64, after: &After, limit: usize) -> Result<Paged<Record>, Failure> {
    let base = scope << AUDIT_BITS;
    let mut statement = connection.prepare_cached(audit::BY_PLACE)?;
    let mut rows = statement.query(params![base + after.number, base + (1 << AUDIT_BITS), one_more(limit)])?;
    let mut page = Collected::new(Section::Audit, limit);
    while let Some(row) = rows.next()? {
        let ((place, entry), _) = audit::entry(row)?;
        let number = place - base;
        if !page.take(Record::Audit(number.unsigned_abs(), entry), (String::new(), String::new(), number)) {
            break;
        }
    }
    Ok(page.page())
}

fn receipts(connection: &Connection, scope: i64, after: &After, limit: usize) -> Result<Paged<Record>, Failure> {
    const SQL: &str = "SELECT place, realm, key, fingerprint, receipt, at FROM once INDEXED BY once_by_scope \
                       WHERE scope_id = ?1 AND place > ?2 ORDER BY place LIMIT ?3";
    let mut statement = connection.prepare_cached(SQL)?;
    let mut rows = statement.query(params![scope, after.number, one_more(limit)])?;
    let mut page = Collected::new(Section::Receipts, limit);
    while let Some(row) = rows.next()? {
        let receipt: engines_core::nexus::Receipt =
            serde_json::from_str(row.get_ref(4)?.as_str().map_err(rusqlite::Error::from)?).map_err(|_| bad(4))?;
        let once = Once { realm: row.get(1)?, key: row.get(2)?, fingerprint: row.get(3)?, note: receipt.note.clone() };
        let kept = KeptReceipt { once, receipt, at: timestamp(row, 5)? };
        if !page.take(Record::Receipt(kept), (String::new(), String::new(), row.get(0)?)) {
            break;
        }
    }
    Ok(page.page())
}

/// The highest position that was ever given.
pub(in crate::sqlite) fn feed_position(connection: &Connection) -> Result<u64, Failure> {
    const SQL: &str = "SELECT max(0, coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'dataset_events'), 0))";
    Ok(connection.prepare_cached(SQL)?.query_row([], |row| unsigned(row, 0))?)
}

/// Scopes by tenant and environment; staged ones are not among them.
pub(in crate::sqlite) fn scopes(page: Page) -> Result<impl FnOnce(&Connection) -> Result<Paged<Scope>, Failure>> {
    let [tenant, env] = match &page.after {
        Some(text) => PageToken::decode(SCOPES, text)?,
        None => Default::default(),
    };
    let limit = page.limit.max(1);
    Ok(move |connection: &Connection| {
        const SQL: &str = "SELECT tenant, env FROM scopes WHERE (tenant, env) > (?1, ?2) ORDER BY tenant, env";
        let mut statement = connection.prepare_cached(SQL)?;
        let mut rows = statement.query(params![tenant, env])?;
        let mut scopes = Vec::new();
        while let Some(row) = rows.next()? {
            let (tenant, env): (String, String) = (row.get(0)?, row.get(1)?);
            if !archive::is_public(&env) {
                continue;
            }
            let tenant = TenantId::new(tenant).map_err(|_| bad(0))?;
            scopes.push(Scope::new(tenant, env.parse().map_err(|_: Error| bad(1))?));
            if scopes.len() > limit {
                break;
            }
        }
        Ok(Paged::cut(scopes, limit, |last: &Scope| {
            PageToken::new(SCOPES, [last.tenant().to_string(), last.env().to_string()])
        }))
    })
}
