//! Text of any kind comes back as it went in, and matches only itself.

use engines_core::{
    DatasetEvent,
    event::EventFilter,
    nexus::{Expect, ExpectedHead, Query},
    stream::Seq,
};
use serde_json::{Map, Value, json};

use super::{
    Bench, Outcome, Verdict,
    bench::{NOTE, canvas, note, once},
    documents::found,
    runner::Case,
    verdict::same,
};

/// Quotes, wildcards, statements, controls, NUL, other scripts, combining and right-to-left marks, characters outside the BMP.
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
        Case::store("text::in_documents", |bench| Box::pin(in_documents(bench))),
        Case::store("text::in_streams", |bench| Box::pin(in_streams(bench))),
        Case::store("text::in_events_and_audit", |bench| Box::pin(in_events_and_audit(bench))),
        Case::store("text::in_idempotency_keys", |bench| Box::pin(in_idempotency_keys(bench))),
    ]
}

/// In bodies (values and keys) and in tags; a tag finds its own document and no other.
pub async fn in_documents(bench: &Bench) -> Verdict {
    let scope = bench.scope()?;
    for (n, text) in TEXTS.iter().enumerate() {
        let body = json!({ (*text): text, "deep": [[[text]]] });
        let document = note(&format!("d{n}"), body)?.tag(*text);
        bench.commit(&scope, bench.batch().put(document, Expect::Absent)).await?;
    }
    for (n, text) in TEXTS.iter().enumerate() {
        let document = found(bench.get(&scope, &format!("d{n}")).await?)?;
        same("a body", &document.decode::<Value>()?, &json!({ (*text): text, "deep": [[[text]]] }))?;
        same("tags", &document.tags, &vec![(*text).to_owned()])?;
        let tagged = bench.list(&scope, &Query::kind(NOTE).tag(*text), 10).await?;
        let ids: Vec<_> = tagged.iter().map(|document| document.id.to_string()).collect();
        same(&format!("documents tagged {text:?}"), &ids, &vec![format!("d{n}")])?;
    }
    Ok(Outcome::Passed)
}

/// In the data of stream events, and in their types, which may be any text.
pub async fn in_streams(bench: &Bench) -> Verdict {
    let scope = bench.scope()?;
    let key = canvas("c1")?;
    let mut events = Vec::new();
    for text in TEXTS {
        let mut event = bench.event(&scope, text)?;
        event.event_type = text.to_owned().into();
        event.ids.correlation_id = Some(text.into());
        event.meta.schema = Some(text.into());
        events.push(event);
    }
    bench.commit(&scope, bench.batch().append(key.clone(), ExpectedHead::Seq(Seq::ZERO), events)).await?;
    let read = bench.read_all(&scope, &key, Seq::ZERO).await?;
    same("events", &read.len(), &TEXTS.len())?;
    for (event, text) in read.iter().zip(TEXTS) {
        same("an event's data", &super::documents::value(event.event.data.get())?, &json!({ "n": text }))?;
        same("an event's type", &&*event.event.event_type, &text)?;
        same("an event's correlation id", &event.event.ids.correlation_id.as_deref(), &Some(text))?;
        same("an event's schema", &event.event.meta.schema.as_deref(), &Some(text))?;
    }
    Ok(Outcome::Passed)
}

/// In the fields dataset events and audit records are found by.
pub async fn in_events_and_audit(bench: &Bench) -> Verdict {
    let scope = bench.scope()?;
    for text in TEXTS {
        let event = DatasetEvent {
            surface: text.into(),
            agent_id: text.into(),
            analytics_event_type: Some(text.into()),
            trace_id: Some(text.into()),
            input: Map::from_iter([(text.to_owned(), Value::from(text))]),
            ..DatasetEvent::default()
        };
        let batch = bench.batch().record(bench.dataset_of(&scope, event)?);
        bench.commit(&scope, batch.audit(bench.audit(&scope, "conformance.text", text)?)).await?;
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
            let found = bench.recorded(&scope, &filter).await?;
            let seqs: Vec<_> = found.iter().map(|event| event.seq.0).collect();
            same(&format!("events found by {filter:?}"), &seqs, &vec![n as u64 + 1])?;
        }
        let filter = engines_core::audit::AuditFilter { resource: text(), ..Default::default() };
        let found = bench.audited(&scope, &filter).await?;
        let resources: Vec<_> = found.into_iter().map(|entry| entry.resource).collect();
        same(&format!("audit records found by {filter:?}"), &resources, &text().into_iter().collect::<Vec<_>>())?;
    }
    Ok(Outcome::Passed)
}

/// In idempotency keys, realms and notes; and a realm and a key do not run into each other.
pub async fn in_idempotency_keys(bench: &Bench) -> Verdict {
    let scope = bench.scope()?;
    let mut keys: Vec<(String, String)> = TEXTS.iter().map(|text| ((*text).to_owned(), (*text).to_owned())).collect();
    for (realm, key) in [("a", "b/c"), ("a/b", "c"), ("a/b/c", ""), ("", "a/b/c"), ("a\0b", "c"), ("a", "b\0c")] {
        keys.push((realm.into(), key.into()));
    }
    for (n, (realm, key)) in keys.iter().enumerate() {
        let mut once = once(realm, key, 1);
        once.note = format!("{n}{key}");
        let batch = bench.batch().put(note(&format!("d{n}"), n)?, Expect::Absent).once(once);
        let receipt = bench.commit(&scope, batch).await?;
        same(&format!("replayed, for {realm:?} {key:?}"), &receipt.replayed, &false)?;
    }
    for (n, (realm, key)) in keys.iter().enumerate() {
        let receipt = bench.store.receipt(&scope, &once(realm, key, 9)).await?;
        let note = receipt.map(|(receipt, _)| receipt.note);
        same(&format!("the note kept for {realm:?} {key:?}"), &note, &Some(format!("{n}{key}")))?;
    }
    Ok(Outcome::Passed)
}
