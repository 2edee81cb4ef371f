//! Text: any text is stored unchanged, and matches only itself.

use engines_core::{
    DatasetEvent,
    event::EventFilter,
    nexus::{DocumentQuery, Expect, ExpectedHead},
    stream::Seq,
};
use serde_json::{Map, Value, json};

use super::{
    CaseOutcome, CaseResult, Fixture,
    assertions::require_found,
    case::Case,
    fixture::{NOTE, canvas, idempotency, note},
    report::ensure_equal,
};

/// Quotes, wildcards, SQL statements, control characters, NUL, several scripts, combining and right-to-left marks,
/// and characters outside the BMP.
const TEXTS: [&str; 24] = [
    "plain",
    "PLAIN",
    "plain ",
    " plain",
    "'",
    "''; DROP TABLE documents; --",
    "\"",
    "\\",
    "\\\\'",
    "%",
    "pl%n",
    "pl_in",
    "*",
    "$1",
    ":name",
    "?",
    "a\0b",
    "\u{1}\u{1f}\u{7f}",
    "line\r\nline\ttab",
    "日本語",
    "e\u{301}",
    "é",
    "\u{202e}rtl\u{200b}",
    "👩‍👩‍👧 𝕏 \u{10ffff}",
];

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::store("text::in_documents", |fixture| Box::pin(in_documents(fixture))),
        Case::store("text::in_streams", |fixture| Box::pin(in_streams(fixture))),
        Case::store("text::in_events_and_audit", |fixture| Box::pin(in_events_and_audit(fixture))),
        Case::store("text::in_idempotency_keys", |fixture| Box::pin(in_idempotency_keys(fixture))),
    ]
}

/// Text in document bodies (values and keys) and in tags. A query by a tag finds its own document and no other.
pub async fn in_documents(fixture: &Fixture) -> CaseResult {
    let scope = fixture.new_scope()?;
    for (n, text) in TEXTS.iter().enumerate() {
        let body = json!({ (*text): text, "deep": [[[text]]] });
        let document = note(&format!("d{n}"), body)?.tag(*text);
        fixture.commit(&scope, fixture.new_batch().put(document, Expect::Absent)).await?;
    }
    for (n, text) in TEXTS.iter().enumerate() {
        let document = require_found(fixture.get(&scope, &format!("d{n}")).await?)?;
        ensure_equal("a body", &document.decode::<Value>()?, &json!({ (*text): text, "deep": [[[text]]] }))?;
        ensure_equal("tags", &document.tags, &vec![(*text).to_owned()])?;
        let tagged = fixture.list_all(&scope, &DocumentQuery::of_kind(NOTE).tag(*text), 10).await?;
        let ids: Vec<_> = tagged.iter().map(|document| document.id.to_string()).collect();
        ensure_equal(&format!("documents tagged {text:?}"), &ids, &vec![format!("d{n}")])?;
    }
    Ok(CaseOutcome::Passed)
}

/// Text in the data and in the types of stream events.
pub async fn in_streams(fixture: &Fixture) -> CaseResult {
    let scope = fixture.new_scope()?;
    let key = canvas("c1")?;
    let mut events = Vec::new();
    for text in TEXTS {
        let mut event = fixture.new_event(&scope, text)?;
        event.event_type = text.to_owned().into();
        event.ids.correlation_id = Some(text.into());
        event.meta.schema = Some(text.into());
        events.push(event);
    }
    fixture.commit(&scope, fixture.new_batch().append(key.clone(), ExpectedHead::Seq(Seq::ZERO), events)).await?;
    let read = fixture.read_all(&scope, &key, Seq::ZERO).await?;
    ensure_equal("events", &read.len(), &TEXTS.len())?;
    for (event, text) in read.iter().zip(TEXTS) {
        ensure_equal(
            "an event's data",
            &super::assertions::parse_value(event.event.data.get())?,
            &json!({ "n": text }),
        )?;
        ensure_equal("an event's type", &&*event.event.event_type, &text)?;
        ensure_equal("an event's correlation id", &event.event.ids.correlation_id.as_deref(), &Some(text))?;
        ensure_equal("an event's schema", &event.event.meta.schema.as_deref(), &Some(text))?;
    }
    Ok(CaseOutcome::Passed)
}

/// Text in the fields by which dataset events and audit records are found.
pub async fn in_events_and_audit(fixture: &Fixture) -> CaseResult {
    let scope = fixture.new_scope()?;
    for text in TEXTS {
        let event = DatasetEvent {
            surface: text.into(),
            agent_id: text.into(),
            analytics_event_type: Some(text.into()),
            trace_id: Some(text.into()),
            input: Map::from_iter([(text.to_owned(), Value::from(text))]),
            ..DatasetEvent::default()
        };
        let batch = fixture.new_batch().record(fixture.scrub_event(&scope, event)?);
        fixture.commit(&scope, batch.audit(fixture.audit_entry(&scope, "conformance.text", text)?)).await?;
    }
    for (n, text) in TEXTS.iter().enumerate() {
        let text = || Some((*text).to_owned());
        let filters = [
            EventFilter { surface: text(), ..EventFilter::default() },
            EventFilter { agent_id: text(), ..EventFilter::default() },
            EventFilter { trace_id: text(), ..EventFilter::default() },
            EventFilter { event_type: text(), ..EventFilter::default() },
        ];
        for filter in filters {
            let found = fixture.list_events(&scope, &filter).await?;
            let seqs: Vec<_> = found.iter().map(|event| event.seq.0).collect();
            ensure_equal(&format!("events found by {filter:?}"), &seqs, &vec![n as u64 + 1])?;
        }
        let filter = engines_core::audit::AuditFilter { resource: text(), ..Default::default() };
        let found = fixture.list_audit(&scope, &filter).await?;
        let resources: Vec<_> = found.into_iter().map(|entry| entry.resource).collect();
        ensure_equal(
            &format!("audit records found by {filter:?}"),
            &resources,
            &text().into_iter().collect::<Vec<_>>(),
        )?;
    }
    Ok(CaseOutcome::Passed)
}

/// Text in idempotency keys, namespaces and notes. Namespace and key are kept apart.
pub async fn in_idempotency_keys(fixture: &Fixture) -> CaseResult {
    let scope = fixture.new_scope()?;
    let mut keys: Vec<(String, String)> = TEXTS.iter().map(|text| ((*text).to_owned(), (*text).to_owned())).collect();
    for (realm, key) in [("a", "b/c"), ("a/b", "c"), ("a/b/c", ""), ("", "a/b/c"), ("a\0b", "c"), ("a", "b\0c")] {
        keys.push((realm.into(), key.into()));
    }
    for (n, (realm, key)) in keys.iter().enumerate() {
        let mut once = idempotency(realm, key, 1);
        once.note = format!("{n}{key}");
        let batch = fixture.new_batch().put(note(&format!("d{n}"), n)?, Expect::Absent).with_idempotency(once);
        let receipt = fixture.commit(&scope, batch).await?;
        ensure_equal(&format!("replayed, for {realm:?} {key:?}"), &receipt.replayed, &false)?;
    }
    for (n, (realm, key)) in keys.iter().enumerate() {
        let receipt = fixture.store.receipt(&scope, &idempotency(realm, key, 9)).await?;
        let note = receipt.map(|(receipt, _)| receipt.note);
        ensure_equal(&format!("the note kept for {realm:?} {key:?}"), &note, &Some(format!("{n}{key}")))?;
    }
    Ok(CaseOutcome::Passed)
}
