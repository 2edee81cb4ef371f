//! Streams in the data file: their rows, and the conversion of events to columns and back.

use std::{borrow::Cow, sync::Arc};

use engines_core::{
    Scope, SpanId, TraceId, UserId,
    context::{Actor, ActorType},
    nexus::StreamHead,
    stream::{CorrelationIds, EventMeta, NewEvent, Routing, Seq, StreamEvent, StreamKey},
};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::error::SqliteFailure;

/// Number of low bits in an event's row key that contain its sequence: 68 billion events in each of 134 million
/// streams.
const SEQ_BITS: u32 = 36;

/// The key of a stream.
pub(super) type StreamName = (Scope, StreamKey);

/// A stream's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StreamRow {
    /// The stream's number; 0 when it has no row yet.
    pub(super) id: i64,
    pub(super) head: StreamHead,
}

impl StreamRow {
    /// The state of a stream that has no row.
    pub(super) const NONE: Self = Self { id: 0, head: StreamHead::EMPTY };

    /// Returns the row key before the first event of the stream with this number.
    pub(super) fn rowkey_base(id: i64) -> i64 {
        id << SEQ_BITS
    }

    /// Returns the row key of an event, in the one tree of all streams; `None` when the sequence is too large.
    pub(super) fn rowkey(self, seq: Seq) -> Option<i64> {
        let fits = seq.0 < 1 << SEQ_BITS && self.id < 1 << (63 - SEQ_BITS);
        fits.then(|| (self.id << SEQ_BITS) | i64::try_from(seq.0).unwrap_or(0))
    }
}

/// Returns the sequence of a row key.
fn seq_of_rowkey(rowkey: i64) -> Seq {
    Seq(u64::try_from(rowkey & ((1 << SEQ_BITS) - 1)).unwrap_or(0))
}

/// Loads a stream's row.
pub(super) fn load(connection: &Connection, (scope, key): &StreamName) -> Result<StreamRow, SqliteFailure> {
    const SQL: &str = "SELECT stream_id, head, first, deleted <> 0 FROM streams JOIN scopes USING (scope_id) \
                       WHERE tenant = ?1 AND env = ?2 AND key = ?3";
    let found = connection
        .prepare_cached(SQL)?
        .query_row(params![scope.tenant().as_str(), scope.env().as_str(), key.as_str()], |found| read_row(found, 0))
        .optional()?;
    Ok(found.unwrap_or(StreamRow::NONE))
}

/// Reads the columns `stream_id, head, first, deleted <> 0`, starting at column `at`.
pub(super) fn read_row(row: &Row<'_>, at: usize) -> rusqlite::Result<StreamRow> {
    let head =
        StreamHead { seq: Seq(read_u64(row, at + 1)?), first: Seq(read_u64(row, at + 2)?), deleted: row.get(at + 3)? };
    Ok(StreamRow { id: row.get(at)?, head })
}

/// Reads a number that is never negative.
pub(super) fn read_u64(row: &Row<'_>, index: usize) -> rusqlite::Result<u64> {
    let number: i64 = row.get(index)?;
    u64::try_from(number).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(index, number))
}

/// The range of events to read.
pub(super) struct ReadRange {
    pub(super) name: StreamName,
    /// The stream's row as the caller knows it.
    pub(super) stream: StreamRow,
    pub(super) after: Seq,
    /// Maximum number of events.
    pub(super) limit: usize,
    /// Maximum bytes of events; at least one event is returned if there is one.
    pub(super) bytes: usize,
}

/// Reads events in order and without a gap.
pub(super) fn read_events(connection: &Connection, range: &ReadRange) -> Result<Vec<StreamEvent>, SqliteFailure> {
    let (events, whole) = read_rows(connection, range.stream, range)?;
    if whole {
        return Ok(events);
    }
    // The stream was trimmed since the caller read its row, and some events are deleted already.
    let snapshot = connection.unchecked_transaction()?;
    let stream = load(&snapshot, &range.name)?;
    Ok(read_rows(&snapshot, stream, range)?.0)
}

/// Reads events, and returns whether the first one is the expected one.
fn read_rows(
    connection: &Connection,
    stream: StreamRow,
    range: &ReadRange,
) -> Result<(Vec<StreamEvent>, bool), SqliteFailure> {
    const SQL: &str = "SELECT rowkey, event_id, type, ts, actor_id, actor_type, attributes, data FROM stream_events \
                       WHERE rowkey > ?1 AND rowkey <= ?2 ORDER BY rowkey LIMIT ?3";
    let after = Seq(range.after.0.max(stream.head.first.0.saturating_sub(1)));
    let (Some(from), Some(to)) = (stream.rowkey(after), stream.rowkey(stream.head.seq)) else {
        return Ok((Vec::new(), true));
    };
    let mut statement = connection.prepare_cached(SQL)?;
    let mut rows = statement.query(params![from, to, i64::try_from(range.limit).unwrap_or(i64::MAX)])?;
    let (mut events, mut size) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let (event, weight) = read_event(row)?;
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

/// The parts of an event that have no columns of their own.
#[derive(Serialize)]
struct EventAttributes<'a> {
    trace_id: TraceId,
    span_id: SpanId,
    ids: SparseIds<'a>,
    #[serde(skip_serializing_if = "Routing::is_empty")]
    routing: &'a Routing,
    #[serde(skip_serializing_if = "is_default")]
    meta: &'a EventMeta,
}

/// The ids of an event, without those that are not set.
#[derive(Serialize)]
struct SparseIds<'a> {
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
    ids: CorrelationIds,
    #[serde(default)]
    routing: Routing,
    #[serde(default)]
    meta: EventMeta,
}

fn is_default(meta: &EventMeta) -> bool {
    *meta == EventMeta::default()
}

/// Encodes the `attributes` column of an event.
pub(super) fn encode_attributes(event: &NewEvent) -> serde_json::Result<String> {
    let CorrelationIds { request_id, correlation_id, run_id, step_id } = &event.ids;
    serde_json::to_string(&EventAttributes {
        trace_id: event.trace_id,
        span_id: event.span_id,
        ids: SparseIds { request_id, correlation_id, run_id, step_id },
        routing: &event.routing,
        meta: &event.meta,
    })
}

/// Reads an event and its approximate size in bytes.
pub(super) fn read_event(row: &Row<'_>) -> rusqlite::Result<(StreamEvent, usize)> {
    let data: String = row.get(7)?;
    let attributes = row.get_ref(6)?.as_str()?;
    let weight = data.len() + attributes.len();
    let stored: StoredAttributes = serde_json::from_str(attributes).map_err(|_| column_error(6))?;
    let event = NewEvent {
        event_id: read_ulid(row, 1)?,
        event_type: Cow::Owned(row.get(2)?),
        ts: read_timestamp(row, 3)?,
        actor: read_actor(row, 4)?,
        trace_id: stored.trace_id,
        span_id: stored.span_id,
        ids: stored.ids,
        routing: stored.routing,
        data: read_json(data, 7)?,
        meta: stored.meta,
    };
    Ok((StreamEvent { seq: seq_of_rowkey(row.get(0)?), event }, weight))
}

/// Returns an error for a malformed column. It contains the column's index and not its content.
pub(super) fn column_error(index: usize) -> rusqlite::Error {
    rusqlite::Error::InvalidColumnType(index, String::new(), rusqlite::types::Type::Text)
}

/// Parses JSON text.
pub(super) fn read_json(text: String, index: usize) -> rusqlite::Result<Box<RawValue>> {
    RawValue::from_string(text).map_err(|_| column_error(index))
}

/// Reads the text of a ULID.
pub(super) fn read_ulid(row: &Row<'_>, index: usize) -> rusqlite::Result<ulid::Ulid> {
    ulid::Ulid::from_string(row.get_ref(index)?.as_str()?).map_err(|_| column_error(index))
}

/// Reads a time in milliseconds.
pub(super) fn read_timestamp(row: &Row<'_>, index: usize) -> rusqlite::Result<engines_core::Timestamp> {
    Ok(engines_core::Timestamp::from_millis(row.get(index)?))
}

/// Reads an actor: its id from this column and its type from the next.
pub(super) fn read_actor(row: &Row<'_>, index: usize) -> rusqlite::Result<Actor> {
    let id = UserId::new(row.get_ref(index)?.as_str()?).map_err(|_| column_error(index))?;
    let kind = ActorType::from_wire(row.get_ref(index + 1)?.as_str()?).ok_or_else(|| column_error(index + 1))?;
    Ok(Actor { id, kind })
}
