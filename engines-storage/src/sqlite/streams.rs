//! Streams in the file: their rows, and events to columns and back.

use std::{borrow::Cow, sync::Arc};

use engines_core::{
    Scope, SpanId, TraceId, UserId,
    context::{Actor, ActorType},
    nexus::Head,
    stream::{Ids, Meta, NewEvent, Routing, Seq, StreamEvent, StreamKey},
};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::error::Failure;

/// Bits of an event's place that number it in its stream: 68 thousand million events, and 134 million streams.
const SEQ_BITS: u32 = 36;

/// What names a stream.
pub(super) type Name = (Scope, StreamKey);

/// A stream's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stream {
    /// Its number; 0 when it has none yet.
    pub(super) id: i64,
    pub(super) head: Head,
}

impl Stream {
    /// The row of a stream without one.
    pub(super) const NONE: Self = Self { id: 0, head: Head::EMPTY };

    /// The place before the first event of the stream with this number.
    pub(super) fn base(id: i64) -> i64 {
        id << SEQ_BITS
    }

    /// The place of an event in the one tree of all streams; none when the number space is used up.
    pub(super) fn place(self, seq: Seq) -> Option<i64> {
        let fits = seq.0 < 1 << SEQ_BITS && self.id < 1 << (63 - SEQ_BITS);
        fits.then(|| (self.id << SEQ_BITS) | i64::try_from(seq.0).unwrap_or(0))
    }
}

/// A place's number in its stream.
fn seq_of(place: i64) -> Seq {
    Seq(u64::try_from(place & ((1 << SEQ_BITS) - 1)).unwrap_or(0))
}

/// The stream's row as it is in the file.
pub(super) fn load(connection: &Connection, (scope, key): &Name) -> Result<Stream, Failure> {
    const SQL: &str = "SELECT stream_id, head, first, deleted <> 0 FROM streams JOIN scopes USING (scope_id) \
                       WHERE tenant = ?1 AND env = ?2 AND key = ?3";
    let found = connection
        .prepare_cached(SQL)?
        .query_row(params![scope.tenant().as_str(), scope.env().as_str(), key.as_str()], |found| row(found, 0))
        .optional()?;
    Ok(found.unwrap_or(Stream::NONE))
}

/// Reads `stream_id, head, first, deleted <> 0`, which begin at `at`.
pub(super) fn row(row: &Row<'_>, at: usize) -> rusqlite::Result<Stream> {
    let head = Head { seq: Seq(unsigned(row, at + 1)?), first: Seq(unsigned(row, at + 2)?), deleted: row.get(at + 3)? };
    Ok(Stream { id: row.get(at)?, head })
}

/// A number that is never negative.
pub(super) fn unsigned(row: &Row<'_>, index: usize) -> rusqlite::Result<u64> {
    let number: i64 = row.get(index)?;
    u64::try_from(number).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(index, number))
}

/// Which events to read.
pub(super) struct Range {
    pub(super) name: Name,
    /// The stream as the caller knows it.
    pub(super) stream: Stream,
    pub(super) after: Seq,
    /// Events at the most.
    pub(super) limit: usize,
    /// Bytes of events at the most, but at least one event if there is one.
    pub(super) bytes: usize,
}

/// Reads events, in order and without a gap.
pub(super) fn read(connection: &Connection, range: &Range) -> Result<Vec<StreamEvent>, Failure> {
    let (events, whole) = rows(connection, range.stream, range)?;
    if whole {
        return Ok(events);
    }
    // It was trimmed since the caller looked, and some of the rows are gone already.
    let snapshot = connection.unchecked_transaction()?;
    let stream = load(&snapshot, &range.name)?;
    Ok(rows(&snapshot, stream, range)?.0)
}

/// Reads events, and whether none is missing before the first.
fn rows(connection: &Connection, stream: Stream, range: &Range) -> Result<(Vec<StreamEvent>, bool), Failure> {
    const SQL: &str = "SELECT place, event_id, type, ts, actor_id, actor_type, attributes, data FROM stream_events \
                       WHERE place > ?1 AND place <= ?2 ORDER BY place LIMIT ?3";
    let after = Seq(range.after.0.max(stream.head.first.0.saturating_sub(1)));
    let (Some(from), Some(to)) = (stream.place(after), stream.place(stream.head.seq)) else {
        return Ok((Vec::new(), true));
    };
    let mut statement = connection.prepare_cached(SQL)?;
    let mut rows = statement.query(params![from, to, i64::try_from(range.limit).unwrap_or(i64::MAX)])?;
    let (mut events, mut size) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let (event, weight) = event(row)?;
        size += weight;
        if size > range.bytes && !events.is_empty() {
            break;
        }
        events.push(event);
    }
    let whole = match events.first() {
        Some(first) => first.seq == after.next(),
        None => from >= to || range.limit == 0,
    };
    Ok((events, whole))
}

/// What of an event has no column of its own.
#[derive(Serialize)]
struct Attributes<'a> {
    trace_id: TraceId,
    span_id: SpanId,
    ids: ShortIds<'a>,
    #[serde(skip_serializing_if = "Routing::is_empty")]
    routing: &'a Routing,
    #[serde(skip_serializing_if = "is_default")]
    meta: &'a Meta,
}

/// [`Ids`] without those that are not set.
#[derive(Serialize)]
struct ShortIds<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: &'a Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_id: &'a Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: &'a Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    step_id: &'a Option<Arc<str>>,
}

#[derive(Deserialize)]
struct StoredAttributes {
    trace_id: TraceId,
    span_id: SpanId,
    #[serde(default)]
    ids: Ids,
    #[serde(default)]
    routing: Routing,
    #[serde(default)]
    meta: Meta,
}

fn is_default(meta: &Meta) -> bool {
    *meta == Meta::default()
}

/// The `attributes` column of an event.
pub(super) fn attributes(event: &NewEvent) -> serde_json::Result<String> {
    let Ids { request_id, correlation_id, run_id, step_id } = &event.ids;
    serde_json::to_string(&Attributes {
        trace_id: event.trace_id,
        span_id: event.span_id,
        ids: ShortIds { request_id, correlation_id, run_id, step_id },
        routing: &event.routing,
        meta: &event.meta,
    })
}

/// An event, and about how many bytes it has.
pub(super) fn event(row: &Row<'_>) -> rusqlite::Result<(StreamEvent, usize)> {
    let data: String = row.get(7)?;
    let attributes = row.get_ref(6)?.as_str()?;
    let weight = data.len() + attributes.len();
    let stored: StoredAttributes = serde_json::from_str(attributes).map_err(|_| bad(6))?;
    let event = NewEvent {
        event_id: ulid(row, 1)?,
        event_type: Cow::Owned(row.get(2)?),
        ts: timestamp(row, 3)?,
        actor: actor(row, 4)?,
        trace_id: stored.trace_id,
        span_id: stored.span_id,
        ids: stored.ids,
        routing: stored.routing,
        data: raw(data, 7)?,
        meta: stored.meta,
    };
    Ok((StreamEvent { seq: seq_of(row.get(0)?), event }, weight))
}

/// A column that is not what it should be; says which, and not what is in it.
pub(super) fn bad(index: usize) -> rusqlite::Error {
    rusqlite::Error::InvalidColumnType(index, String::new(), rusqlite::types::Type::Text)
}

/// JSON text.
pub(super) fn raw(text: String, index: usize) -> rusqlite::Result<Box<RawValue>> {
    RawValue::from_string(text).map_err(|_| bad(index))
}

/// A ULID's text.
pub(super) fn ulid(row: &Row<'_>, index: usize) -> rusqlite::Result<ulid::Ulid> {
    ulid::Ulid::from_string(row.get_ref(index)?.as_str()?).map_err(|_| bad(index))
}

/// Milliseconds.
pub(super) fn timestamp(row: &Row<'_>, index: usize) -> rusqlite::Result<engines_core::Timestamp> {
    Ok(engines_core::Timestamp::from_millis(row.get(index)?))
}

/// An actor: its id here, its type in the next column.
pub(super) fn actor(row: &Row<'_>, index: usize) -> rusqlite::Result<Actor> {
    let id = UserId::new(row.get_ref(index)?.as_str()?).map_err(|_| bad(index))?;
    let kind = ActorType::from_wire(row.get_ref(index + 1)?.as_str()?).ok_or_else(|| bad(index + 1))?;
    Ok(Actor { id, kind })
}
