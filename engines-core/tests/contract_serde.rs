//! The serialized forms of the types of the store contract, which backends may store.
#![expect(clippy::unwrap_used, reason = "tests")]

use engines_core::{
    DatasetEvent, DocId, IdGenerator, Role, StreamEvent, Timestamp,
    event::{EventStamp, StoredEvent, scrub_event},
    nexus::{Document, DocumentKind, NewDocument},
    pii::Scrubber,
    stream::{NewEvent, Seq},
    testing,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json, value::RawValue};

/// Serializes, reads and serializes again; returns the text, which must not have changed.
fn round_trip<T: Serialize + DeserializeOwned>(value: &T) -> String {
    let text = serde_json::to_string(value).unwrap();
    let read: T = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), text);
    text
}

fn members(text: &str) -> Vec<String> {
    let object: Map<String, Value> = serde_json::from_str(text).unwrap();
    object.keys().cloned().collect()
}

#[test]
fn events_of_streams_are_flat_and_keep_their_text() {
    let ids = IdGenerator::seeded(1);
    let context = testing::context("t_acme", "ada", Role::Member).unwrap();
    let ts = Timestamp::from_millis(1_767_225_600_123);
    for data in [r#"{"n": 1.00, "text": "a\u0041"}"#, "[\n1]", "null"] {
        let data = RawValue::from_string(data.to_owned()).unwrap();
        let event = NewEvent::new(ids.ulid(ts), ts, "user_message", &context, data);
        let alone = round_trip(&event);
        let numbered = round_trip(&StreamEvent { seq: Seq(7), event });
        assert_eq!(numbered, alone.replacen('{', r#"{"seq":7,"#, 1));
    }
}

#[test]
fn documents_keep_their_text_and_check_their_kind() {
    let kind = DocumentKind::from_static("note");
    let new = NewDocument::new(kind.clone(), DocId::new("d1").unwrap(), &json!({"a": [1, null]})).unwrap().tag("t");
    round_trip(&new);
    let at = Timestamp::from_millis(5);
    let NewDocument { id, tags, body, .. } = new;
    let text = round_trip(&Document { kind, id, version: 3, created_at: at, updated_at: at, tags, body });
    assert!(serde_json::from_str::<Document>(&text.replace("\"note\"", "\"No te\"")).is_err());
    assert!(serde_json::from_str::<Document>(&text.replace("\"d1\"", "\"../d1\"")).is_err());
}

#[test]
fn stored_events_are_read_back() {
    let (ids, ts) = (IdGenerator::seeded(2), Timestamp::from_millis(9));
    let context = testing::context("t_acme", "ada", Role::Member).unwrap();
    let event = DatasetEvent { surface: "chat".into(), agent_id: "a1".into(), ..DatasetEvent::default() };
    let stamp = EventStamp { event_id: ids.ulid(ts), ts, actor: context.actor().clone(), train_ok: true };
    let clean = scrub_event(&Scrubber::default(), event, stamp, &context).unwrap();
    let stored: StoredEvent = clean.into_stored(Seq(1));
    assert!(members(&round_trip(&stored)).contains(&"actor_id".to_owned()));
}
