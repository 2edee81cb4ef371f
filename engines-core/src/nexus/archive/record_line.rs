//! The archive format: one record as one line of JSON.

use std::{borrow::Cow, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use ulid::Ulid;

use super::{ArchiveRecord, Section, StoredReceipt};
use crate::{
    audit::{AuditEntry, AuditOutcome},
    clock::Timestamp,
    code::Code,
    context::{Actor, ActorType},
    error::{Error, Result},
    event::StoredEvent,
    hex,
    id::{DocId, UserId},
    nexus::{CommitReceipt, Document, DocumentKind, Idempotency, StreamHead},
    pii,
    stream::{CorrelationIds, EventMeta, NewEvent, Routing, Seq, StreamEvent, StreamKey},
    trace::{SpanId, TraceId},
};

/// The most bytes of one line: a document of 32 MiB and the fields around it.
pub const MAX_LINE_BYTES: usize = 33 << 20;
/// The most levels of nesting in one line.
pub const MAX_DEPTH: usize = 256;

const OPERATION: &str = "archive.record";

/// JSON text as it was stored. Text that contains a line break is written as a string, because a record must stay on
/// one line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawText<'a> {
    #[serde(borrow, skip_serializing_if = "Option::is_none", default, deserialize_with = "read_present")]
    json: Option<&'a RawValue>,
    #[serde(borrow, skip_serializing_if = "Option::is_none", default)]
    text: Option<Cow<'a, str>>,
}

/// Reads a member that is present. Without this, serde reads the value `null` as an absent member.
fn read_present<'a, D: Deserializer<'a>>(source: D) -> std::result::Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(source).map(Some)
}

impl<'a> RawText<'a> {
    fn from_raw(value: &'a RawValue) -> Self {
        match value.get().contains(['\n', '\r']) {
            true => Self { json: None, text: Some(Cow::Borrowed(value.get())) },
            false => Self { json: Some(value), text: None },
        }
    }

    fn read(self) -> Result<Box<RawValue>> {
        match self {
            Self { json: Some(value), text: None } => Ok(value.to_owned()),
            Self { json: None, text: Some(text) } => {
                if nesting_depth(&text) > MAX_DEPTH {
                    return Err(invalid_record("it is nested too deep"));
                }
                RawValue::from_string(text.into_owned()).map_err(|_| invalid_record("a text is not JSON"))
            }
            _ => Err(invalid_record("a body has either `json` or `text`")),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DocumentLine<'a> {
    kind: Cow<'a, str>,
    id: DocId,
    version: u64,
    created_at: Timestamp,
    updated_at: Timestamp,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    #[serde(borrow)]
    body: RawText<'a>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StreamLine {
    key: StreamKey,
    first: Seq,
    head: Seq,
    #[serde(default, skip_serializing_if = "is_default")]
    deleted: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StreamEventLine<'a> {
    key: StreamKey,
    seq: Seq,
    event_id: Ulid,
    #[serde(rename = "type")]
    event_type: String,
    ts: Timestamp,
    actor_id: UserId,
    actor_type: ActorType,
    trace_id: TraceId,
    span_id: SpanId,
    #[serde(default, skip_serializing_if = "is_default")]
    ids: CorrelationIds,
    #[serde(default, skip_serializing_if = "is_default")]
    routing: Routing,
    #[serde(default, skip_serializing_if = "is_default")]
    meta: EventMeta,
    #[serde(borrow)]
    data: RawText<'a>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EventLine<'a> {
    seq: Seq,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    position: Option<u64>,
    event_id: Ulid,
    ts: Timestamp,
    surface: Cow<'a, str>,
    agent_id: Cow<'a, str>,
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    event_type: Option<Cow<'a, str>>,
    trace_id: Cow<'a, str>,
    actor_id: UserId,
    actor_type: ActorType,
    train_ok: bool,
    pii_flags: Cow<'a, pii::ScrubReport>,
    #[serde(borrow)]
    body: RawText<'a>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AuditLine {
    number: u64,
    audit_id: Ulid,
    ts: Timestamp,
    action: String,
    resource: String,
    outcome: AuditOutcome,
    actor_id: UserId,
    actor_type: ActorType,
    request_id: Arc<str>,
    trace_id: TraceId,
    span_id: SpanId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<Arc<str>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReceiptLine<'a> {
    realm: Cow<'a, str>,
    key: Cow<'a, str>,
    fingerprint: String,
    at: Timestamp,
    receipt: Cow<'a, CommitReceipt>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl ArchiveRecord {
    /// Appends the record as one JSON object and a line feed. The same record gives the same bytes every time.
    ///
    /// # Errors
    /// `INTERNAL` when it does not serialise; `line` is then as it was.
    pub fn write_line(&self, line: &mut Vec<u8>) -> Result<()> {
        let begin = line.len();
        let written = self.write(line);
        match &written {
            Ok(()) => line.push(b'\n'),
            Err(_) => line.truncate(begin),
        }
        written.map_err(|error| Error::internal(OPERATION, error))
    }

    fn write(&self, line: &mut Vec<u8>) -> serde_json::Result<()> {
        match self {
            Self::Counters(counters) => serde_json::to_writer(line, counters),
            Self::Document(document) => serde_json::to_writer(
                line,
                &DocumentLine {
                    kind: Cow::Borrowed(document.kind.as_str()),
                    id: document.id.clone(),
                    version: document.version,
                    created_at: document.created_at,
                    updated_at: document.updated_at,
                    tags: document.tags.clone(),
                    body: RawText::from_raw(&document.body),
                },
            ),
            Self::Stream(key, StreamHead { seq, first, deleted }) => serde_json::to_writer(
                line,
                &StreamLine { key: key.clone(), first: *first, head: *seq, deleted: *deleted },
            ),
            Self::StreamEvent(key, StreamEvent { seq, event }) => serde_json::to_writer(
                line,
                &StreamEventLine {
                    key: key.clone(),
                    seq: *seq,
                    event_id: event.event_id,
                    event_type: event.event_type.clone().into_owned(),
                    ts: event.ts,
                    actor_id: event.actor.id.clone(),
                    actor_type: event.actor.kind,
                    trace_id: event.trace_id,
                    span_id: event.span_id,
                    ids: event.ids.clone(),
                    routing: event.routing.clone(),
                    meta: event.meta.clone(),
                    data: RawText::from_raw(&event.data),
                },
            ),
            Self::Event(position, event) => serde_json::to_writer(
                line,
                &EventLine {
                    seq: event.seq,
                    position: *position,
                    event_id: event.event_id,
                    ts: event.ts,
                    surface: Cow::Borrowed(&event.surface),
                    agent_id: Cow::Borrowed(&event.agent_id),
                    event_type: event.event_type.as_deref().map(Cow::Borrowed),
                    trace_id: Cow::Borrowed(&event.trace_id),
                    actor_id: event.actor.id.clone(),
                    actor_type: event.actor.kind,
                    train_ok: event.train_ok,
                    pii_flags: Cow::Borrowed(&event.pii_flags),
                    body: RawText::from_raw(&event.body),
                },
            ),
            Self::Audit(number, entry) => serde_json::to_writer(
                line,
                &AuditLine {
                    number: *number,
                    audit_id: entry.audit_id,
                    ts: entry.ts,
                    action: entry.action.clone().into_owned(),
                    resource: entry.resource.clone(),
                    outcome: entry.outcome,
                    actor_id: entry.actor.id.clone(),
                    actor_type: entry.actor.kind,
                    request_id: Arc::clone(&entry.request_id),
                    trace_id: entry.trace_id,
                    span_id: entry.span_id,
                    reason: entry.reason.clone(),
                },
            ),
            Self::Receipt(kept) => serde_json::to_writer(
                line,
                &ReceiptLine {
                    realm: Cow::Borrowed(&kept.idempotency.namespace),
                    key: Cow::Borrowed(&kept.idempotency.key),
                    fingerprint: hex::encode(&kept.idempotency.fingerprint),
                    at: kept.at,
                    receipt: Cow::Borrowed(&kept.receipt),
                },
            ),
        }
    }

    /// Reads a line of a section, with or without its line feed. The line may come from an untrusted source: it is
    /// rejected, without recursion, if it is too long, nested too deeply, of another form, or contains an invalid name.
    ///
    /// # Errors
    /// `BODY_INVALID`. The text quotes nothing of the line.
    pub fn read_line(section: Section, line: &[u8]) -> Result<Self> {
        if line.len() > MAX_LINE_BYTES {
            return Err(invalid_record("it is too long"));
        }
        let text = std::str::from_utf8(line).map_err(|_| invalid_record("it is not UTF-8"))?;
        if nesting_depth(text) > MAX_DEPTH {
            return Err(invalid_record("it is nested too deep"));
        }
        Ok(match section {
            Section::Counters => Self::Counters(parse(text)?),
            Section::Documents => Self::Document(parse::<DocumentLine<'_>>(text)?.read()?),
            Section::Streams => {
                let StreamLine { key, first, head, deleted } = parse(text)?;
                let head = StreamHead { seq: head, first, deleted };
                let next = head.seq.0.checked_add(1).ok_or_else(|| invalid_record("a sequence is too large"))?;
                if first.0 == 0 || first.0 > next || (deleted && first.0 != next) {
                    return Err(invalid_record(
                        "a stream begins at 1 or later, and at most one past its head; a deleted one begins there",
                    ));
                }
                Self::Stream(key, head)
            }
            Section::StreamEvents => parse::<StreamEventLine<'_>>(text)?.read()?,
            Section::Events => parse::<EventLine<'_>>(text)?.read()?,
            Section::Audit => {
                let line: AuditLine = parse(text)?;
                let entry = AuditEntry {
                    audit_id: line.audit_id,
                    ts: line.ts,
                    action: Cow::Owned(line.action),
                    resource: line.resource,
                    outcome: line.outcome,
                    actor: Actor { id: line.actor_id, kind: line.actor_type },
                    request_id: line.request_id,
                    trace_id: line.trace_id,
                    span_id: line.span_id,
                    reason: line.reason,
                };
                Self::Audit(line.number, entry)
            }
            Section::Receipts => parse::<ReceiptLine<'_>>(text)?.read()?,
        })
    }
}

impl DocumentLine<'_> {
    fn read(self) -> Result<Document> {
        if self.version == 0 {
            return Err(invalid_record("a version is at least 1"));
        }
        Ok(Document {
            kind: DocumentKind::new(&self.kind)
                .map_err(|_| invalid_record("a kind is lower-case letters, digits and _"))?,
            id: self.id,
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
            tags: self.tags,
            body: self.body.read()?,
        })
    }
}

impl StreamEventLine<'_> {
    fn read(self) -> Result<ArchiveRecord> {
        let event = NewEvent {
            event_id: self.event_id,
            event_type: Cow::Owned(self.event_type),
            ts: self.ts,
            actor: Actor { id: self.actor_id, kind: self.actor_type },
            trace_id: self.trace_id,
            span_id: self.span_id,
            ids: self.ids,
            // Tenant, environment and actor are not stored in an event, so they are not taken from an archive either.
            routing: Routing { tenant_id: None, env: None, actor_id: None, actor_type: None, ..self.routing },
            data: self.data.read()?,
            meta: self.meta,
        };
        Ok(ArchiveRecord::StreamEvent(self.key, StreamEvent { seq: self.seq, event }))
    }
}

impl EventLine<'_> {
    fn read(self) -> Result<ArchiveRecord> {
        let body = self.body.read()?;
        if !body.get().starts_with('{') {
            return Err(invalid_record("the body of a dataset event is an object"));
        }
        let event = StoredEvent {
            seq: self.seq,
            event_id: self.event_id,
            ts: self.ts,
            surface: self.surface.into_owned(),
            agent_id: self.agent_id.into_owned(),
            event_type: self.event_type.map(Cow::into_owned),
            trace_id: self.trace_id.into_owned(),
            actor: Actor { id: self.actor_id, kind: self.actor_type },
            train_ok: self.train_ok,
            pii_flags: self.pii_flags.into_owned(),
            body,
        };
        Ok(ArchiveRecord::Event(self.position, event))
    }
}

impl ReceiptLine<'_> {
    fn read(self) -> Result<ArchiveRecord> {
        let fingerprint =
            hex::decode(&self.fingerprint).ok_or_else(|| invalid_record("a fingerprint has 64 hexadecimal digits"))?;
        let receipt = self.receipt.into_owned();
        let once = Idempotency {
            namespace: self.realm.into_owned(),
            key: self.key.into_owned(),
            fingerprint,
            note: receipt.note.clone(),
        };
        Ok(ArchiveRecord::Receipt(StoredReceipt { idempotency: once, receipt, at: self.at }))
    }
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T> {
    // The message of serde_json can quote the text.
    serde_json::from_str(text).map_err(|error| {
        Error::new(
            Code::BodyInvalid,
            OPERATION,
            format!("it is not a record of this section (column {})", error.column()),
        )
    })
}

/// The depth to which arrays and objects are nested, whether or not the text is valid JSON.
fn nesting_depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut quoted, mut escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

fn invalid_record(detail: &'static str) -> Error {
    Error::new(Code::BodyInvalid, OPERATION, detail)
}
