//! Backup and restore of a memory store as lines of JSON.

use std::borrow::Cow;

use async_trait::async_trait;
use bytes::Bytes;
use engines_core::{
    Code, DocId, Error, IdGenerator, Result, Scope, SpanId, Timestamp, TraceId,
    audit::AuditEntry,
    context::Actor,
    event::StoredEvent,
    nexus::{
        BackupContent, BackupFiles, BackupPosition, BackupSource, CommitReceipt, CopyLimits, Document, DocumentKind,
        Idempotency, ScopePosition, StreamHead, Tag,
    },
    pii,
    stream::{CorrelationIds, EventMeta, EventType, LogId, NewEvent, Routing, Seq, StreamEvent, StreamKey},
};
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use ulid::Ulid;

use super::{
    MemoryLimits, MemoryStore,
    scope_data::{ScopeData, StreamLog},
    sizes::ITEM_OVERHEAD_BYTES,
    state::MemoryState,
};

const OPERATION: &str = "memory.backup";
/// The source's name in a backup.
const SOURCE: &str = "store";
/// The name of the file in a backup.
const FILE: &str = "memory.jsonl";
/// Approximate number of bytes of lines in one chunk.
const CHUNK_BYTES: usize = 1 << 20;
/// Maximum length of a line that is read, in bytes.
const MAX_LINE_BYTES: usize = 64 << 20;

/// One line of the file. Lines after a `scope` belong to that scope; lines after a `stream` belong to that stream.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "one line at a time is written or read, and none is kept")]
enum BackupLine<'a> {
    Scope(Scope),
    Document(DocumentLine<'a>),
    Stream {
        key: StreamKey,
        trimmed: u64,
        deleted: bool,
    },
    StreamEvent(StreamEventLine<'a>),
    Event(EventLine<'a>),
    /// The slot of a removed event.
    RemovedEvent,
    /// The number of removed audit records.
    RemovedAudit(usize),
    Audit(Cow<'a, AuditEntry>),
    Receipt {
        realm: Cow<'a, str>,
        key: Cow<'a, str>,
        receipt: Cow<'a, CommitReceipt>,
        fingerprint: [u8; 32],
        at: Timestamp,
    },
    /// The last position of the feed of all scopes.
    Feed(u64),
}

#[derive(Serialize, Deserialize)]
struct DocumentLine<'a> {
    kind: Cow<'a, str>,
    id: DocId,
    version: u64,
    created_at: Timestamp,
    updated_at: Timestamp,
    tags: Cow<'a, [Tag]>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "read_present")]
    body: Option<Cow<'a, RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body_text: Option<Cow<'a, str>>,
}

#[derive(Serialize, Deserialize)]
struct StreamEventLine<'a> {
    seq: Seq,
    event_id: Ulid,
    #[serde(rename = "type")]
    event_type: EventType,
    ts: Timestamp,
    actor: Cow<'a, Actor>,
    trace_id: TraceId,
    span_id: SpanId,
    ids: Cow<'a, CorrelationIds>,
    routing: Cow<'a, Routing>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "read_present")]
    data: Option<Cow<'a, RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data_text: Option<Cow<'a, str>>,
    meta: Cow<'a, EventMeta>,
}

#[derive(Serialize, Deserialize)]
struct EventLine<'a> {
    position: u64,
    seq: Seq,
    event_id: Ulid,
    ts: Timestamp,
    surface: Cow<'a, str>,
    agent_id: Cow<'a, str>,
    #[serde(rename = "type")]
    event_type: Option<Cow<'a, str>>,
    trace_id: Cow<'a, str>,
    actor: Cow<'a, Actor>,
    train_ok: bool,
    pii_flags: Cow<'a, pii::ScrubReport>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "read_present")]
    body: Option<Cow<'a, RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body_text: Option<Cow<'a, str>>,
}

/// Splits JSON text into the two fields of a line. Text that contains a line break is written as a string, because a
/// record must stay on one line.
fn split_raw(value: &RawValue) -> (Option<Cow<'_, RawValue>>, Option<Cow<'_, str>>) {
    match value.get().contains('\n') {
        true => (None, Some(Cow::Borrowed(value.get()))),
        false => (Some(Cow::Borrowed(value)), None),
    }
}

/// Joins the two fields of a line to the JSON text that was stored.
fn join_raw(json: Option<Cow<'_, RawValue>>, text: Option<Cow<'_, str>>) -> Result<Box<RawValue>> {
    match (json, text) {
        (Some(value), None) => Ok(value.into_owned()),
        (None, Some(text)) => RawValue::from_string(text.into_owned()).map_err(|_| malformed_line()),
        _ => Err(malformed_line()),
    }
}

/// Reads a field that is present. Without this, serde reads the value `null` as a missing field.
fn read_present<'a, 'de, D: Deserializer<'de>>(source: D) -> Result<Option<Cow<'a, RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(source).map(|value| Some(Cow::Owned(value)))
}

/// Collects lines and returns them in chunks.
#[derive(Default)]
struct LineWriter {
    chunks: Vec<Bytes>,
    partial: Vec<u8>,
}

impl LineWriter {
    fn push(&mut self, line: &BackupLine<'_>) -> Result<()> {
        serde_json::to_writer(&mut self.partial, line).map_err(|error| Error::internal(OPERATION, error))?;
        self.partial.push(b'\n');
        if self.partial.len() >= CHUNK_BYTES {
            self.chunks.push(std::mem::take(&mut self.partial).into());
        }
        Ok(())
    }

    fn finish(mut self) -> Vec<Bytes> {
        self.chunks.push(self.partial.into());
        self.chunks
    }
}

#[async_trait]
impl BackupSource for MemoryStore {
    fn name(&self) -> &str {
        SOURCE
    }

    /// Holds the lock, so that writers wait, while the lines are made. The lines stay in memory until they are
    /// stored.
    async fn back_up(&self, files: &mut dyn BackupFiles, _: CopyLimits) -> Result<Option<BackupPosition>> {
        let (chunks, position) = {
            let state = self.state();
            (state_lines(&state)?, position(&state, engines_core::Store::log_id(self)))
        };
        files.add_stream(FILE, Box::pin(stream::iter(chunks.into_iter().map(Ok)))).await?;
        Ok(Some(position))
    }
}

fn position(state: &MemoryState, log_id: LogId) -> BackupPosition {
    let mut scopes: Vec<_> = state
        .scopes
        .iter()
        .map(|(scope, space)| ScopePosition {
            scope: scope.clone(),
            events: space.events.len() as u64,
            audit: (space.audit_removed + space.audit.len()) as u64,
            streams: space.streams.len() as u64,
            appended: space.streams.values().map(|log| log.head().seq.0).sum(),
        })
        .collect();
    scopes.sort_by(|one, other| one.scope.cmp(&other.scope));
    BackupPosition { log_id, feed: state.last_position, scopes }
}

fn state_lines(state: &MemoryState) -> Result<Vec<Bytes>> {
    let mut lines = LineWriter::default();
    for (scope, space) in &state.scopes {
        lines.push(&BackupLine::Scope(scope.clone()))?;
        for document in space.documents.values().flat_map(super::documents::DocumentMap::iter) {
            let (body, body_text) = split_raw(&document.body);
            lines.push(&BackupLine::Document(DocumentLine {
                kind: document.kind.as_str().into(),
                id: document.id.clone(),
                version: document.version,
                created_at: document.created_at,
                updated_at: document.updated_at,
                tags: document.tags.as_slice().into(),
                body,
                body_text,
            }))?;
        }
        for (key, log) in &space.streams {
            let StreamHead { first, deleted, .. } = log.head();
            lines.push(&BackupLine::Stream { key: key.clone(), trimmed: first.0 - 1, deleted })?;
            for StreamEvent { seq, event } in log.events() {
                let (data, data_text) = split_raw(&event.data);
                lines.push(&BackupLine::StreamEvent(StreamEventLine {
                    seq: *seq,
                    event_id: event.event_id,
                    event_type: event.event_type.clone(),
                    ts: event.ts,
                    actor: Cow::Borrowed(&event.actor),
                    trace_id: event.trace_id,
                    span_id: event.span_id,
                    ids: Cow::Borrowed(&event.ids),
                    routing: Cow::Borrowed(&event.routing),
                    data,
                    data_text,
                    meta: Cow::Borrowed(&event.meta),
                }))?;
            }
        }
        for place in 0..space.events.len() {
            let Some((event, position)) = space.events.get_with_position(place) else {
                lines.push(&BackupLine::RemovedEvent)?;
                continue;
            };
            let (body, body_text) = split_raw(&event.body);
            lines.push(&BackupLine::Event(EventLine {
                position,
                seq: event.seq,
                event_id: event.event_id,
                ts: event.ts,
                surface: event.surface.as_str().into(),
                agent_id: event.agent_id.as_str().into(),
                event_type: event.event_type.as_deref().map(Cow::Borrowed),
                trace_id: event.trace_id.as_str().into(),
                actor: Cow::Borrowed(&event.actor),
                train_ok: event.train_ok,
                pii_flags: Cow::Borrowed(&event.pii_flags),
                body,
                body_text,
            }))?;
        }
        lines.push(&BackupLine::RemovedAudit(space.audit_removed))?;
        for entry in &space.audit {
            lines.push(&BackupLine::Audit(Cow::Borrowed(entry)))?;
        }
        for (realm, key, (receipt, fingerprint), at) in space.receipts.iter() {
            let (realm, key) = (realm.into(), key.into());
            lines.push(&BackupLine::Receipt {
                realm,
                key,
                receipt: Cow::Borrowed(receipt),
                fingerprint: *fingerprint,
                at,
            })?;
        }
    }
    lines.push(&BackupLine::Feed(state.last_position))?;
    Ok(lines.finish())
}

impl MemoryStore {
    /// Creates a store with the content of a backup. `content` is the backup's file `store/memory.jsonl`. The log
    /// gets a new id.
    ///
    /// # Errors
    ///
    /// The errors of `content`; `BACKEND_UNAVAILABLE` when it is not a backup of a memory store, or exceeds `limits`.
    pub async fn restore(ids: &IdGenerator, limits: MemoryLimits, mut content: BackupContent) -> Result<Self> {
        let store = Self::with_limits(ids, limits);
        let mut reader = BackupReader::default();
        let mut open: Vec<u8> = Vec::new();
        while let Some(chunk) = content.next().await {
            open.extend_from_slice(&chunk?);
            let Some(end) = open.iter().rposition(|byte| *byte == b'\n') else {
                if open.len() > MAX_LINE_BYTES {
                    return Err(malformed_line());
                }
                continue;
            };
            let rest = open.split_off(end + 1);
            for line in open.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                reader.read_line(serde_json::from_slice(line).map_err(|_| malformed_line())?)?;
            }
            if reader.bytes > store.total_bytes() {
                let detail = "the backup exceeds the size limit of the memory store";
                return Err(Error::new(Code::BackendUnavailable, OPERATION, detail));
            }
            open = rest;
        }
        if !open.is_empty() {
            return Err(malformed_line());
        }
        store.replace_state(reader.finish()?);
        Ok(store)
    }
}

#[derive(Default)]
struct BackupReader {
    spaces: Vec<(Scope, ScopeData)>,
    /// The last position of the feed; `None` until the line with it was read.
    last_position: Option<u64>,
    stream: Option<StreamKey>,
    bytes: usize,
}

impl BackupReader {
    fn read_line(&mut self, line: BackupLine<'_>) -> Result<()> {
        match line {
            BackupLine::Scope(scope) => {
                self.stream = None;
                self.spaces.push((scope, ScopeData::default()));
                return Ok(());
            }
            BackupLine::Feed(last) => {
                self.last_position = Some(last);
                return Ok(());
            }
            _ => self.bytes += ITEM_OVERHEAD_BYTES,
        }
        let (_, space) = self.spaces.last_mut().ok_or_else(malformed_line)?;
        match line {
            BackupLine::Document(line) => {
                let kind = DocumentKind::new(&line.kind)?;
                let body = join_raw(line.body, line.body_text)?;
                self.bytes += body.get().len();
                space.documents.entry(kind.clone()).or_default().restore(Document {
                    kind,
                    id: line.id,
                    version: line.version,
                    created_at: line.created_at,
                    updated_at: line.updated_at,
                    tags: line.tags.into_owned(),
                    body,
                });
            }
            BackupLine::Stream { key, trimmed, deleted } => {
                space.streams.insert(key.clone(), StreamLog::with_trimmed(trimmed, deleted));
                self.stream = Some(key);
            }
            BackupLine::StreamEvent(line) => {
                let log = self.stream.as_ref().and_then(|key| space.streams.get_mut(key)).ok_or_else(malformed_line)?;
                if log.head().seq.next() != line.seq {
                    return Err(malformed_line());
                }
                let data = join_raw(line.data, line.data_text)?;
                self.bytes += data.get().len();
                log.append(vec![NewEvent {
                    event_id: line.event_id,
                    event_type: line.event_type,
                    ts: line.ts,
                    actor: line.actor.into_owned(),
                    trace_id: line.trace_id,
                    span_id: line.span_id,
                    ids: line.ids.into_owned(),
                    routing: line.routing.into_owned(),
                    data,
                    meta: line.meta.into_owned(),
                }]);
            }
            BackupLine::Event(line) => {
                if line.seq.0 != space.events.len() as u64 + 1 {
                    return Err(malformed_line());
                }
                let body = join_raw(line.body, line.body_text)?;
                let size = ITEM_OVERHEAD_BYTES + body.get().len();
                self.bytes += size - ITEM_OVERHEAD_BYTES;
                let position = line.position;
                let event = StoredEvent {
                    seq: line.seq,
                    event_id: line.event_id,
                    ts: line.ts,
                    surface: line.surface.into_owned(),
                    agent_id: line.agent_id.into_owned(),
                    event_type: line.event_type.map(Cow::into_owned),
                    trace_id: line.trace_id.into_owned(),
                    actor: line.actor.into_owned(),
                    train_ok: line.train_ok,
                    pii_flags: line.pii_flags.into_owned(),
                    body,
                };
                space.events.push(event, position, size);
            }
            BackupLine::RemovedEvent => space.events.skip_to(space.events.len() as u64 + 1),
            BackupLine::RemovedAudit(count) => space.audit_removed = count,
            BackupLine::Audit(entry) => space.audit.push_back(entry.into_owned()),
            BackupLine::Receipt { realm, key, receipt, fingerprint, at } => {
                let (realm, key) = (realm.into_owned(), key.into_owned());
                let once = Idempotency { namespace: realm, key, fingerprint, note: receipt.note.clone() };
                space.receipts.insert(once, receipt.into_owned(), at);
            }
            BackupLine::Scope(_) | BackupLine::Feed(_) => {}
        }
        Ok(())
    }

    fn finish(self) -> Result<MemoryState> {
        // The feed's line is the last one, so a file without it is truncated.
        let last_position = self.last_position.ok_or_else(malformed_line)?;
        let mut state = MemoryState { last_position, bytes: self.bytes, ..MemoryState::default() };
        for (scope, space) in self.spaces {
            for place in 0..space.events.len() {
                // Position 0 marks a restored event, which is not in the feed.
                if let Some((_, position @ 1..)) = space.events.get_with_position(place) {
                    state.feed.insert(position, (scope.clone(), place));
                }
            }
            state.scopes.insert(scope, space);
        }
        match state.feed.last_key_value() {
            Some((position, _)) if *position > last_position => Err(malformed_line()),
            _ => Ok(state),
        }
    }
}

fn malformed_line() -> Error {
    Error::new(Code::BackendUnavailable, OPERATION, "the file is not a backup of a memory store, or it is damaged")
}
