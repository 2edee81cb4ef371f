//! The engine without HTTP: the same services, in process.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use engines::{
    Code, Engine, IdGenerator,
    auth::{RootKey, SigningSecret, TokenRequest},
    core::{
        audit::AuditFilter,
        event::{CleanEvent, DatasetEvent, EventFilter},
        nexus::{EventSink, PageRequest, SinkError},
        testing::{context, scope},
    },
    prelude::*,
    storage::MemoryStore,
    stream::canvas::{CanvasCommand, NewCanvas},
};
use serde_json::json;

fn event(text: &str, key: Option<&str>) -> DatasetEvent {
    let mut event = json!({ "surface": "chat", "agentId": "a1", "input": { "text": text }, "output": {} });
    if let Some(key) = key {
        event["idempotency_key"] = key.into();
    }
    serde_json::from_value(event).unwrap()
}

#[tokio::test]
async fn building_without_a_store_tells_how_to_set_one() {
    let error = Engine::builder().build().await.unwrap_err();
    assert_eq!(error.code(), Code::ConfigurationInvalid);
    for method in ["memory()", "store()", "sqlite()"] {
        assert!(error.detail().contains(method), "{error}");
    }
}

#[tokio::test]
async fn acknowledged_writes_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("engines.db");
    let ada = context("t_acme", "ada", Role::Member).unwrap();
    let engine = Engine::builder().sqlite(&path).build().await.unwrap();
    // Only one process can open the file at a time.
    assert_eq!(Engine::builder().sqlite(&path).build().await.unwrap_err().code(), Code::BackendUnavailable);
    let canvas = engine.canvas().create(&ada, NewCanvas::default()).await.unwrap();
    let ops = json!([{ "op": "add", "path": "/a", "value": 1 }]);
    let applied = engine.canvas().command(&ada, &canvas.canvas_id, CanvasCommand::new(0, &ops).unwrap()).await.unwrap();
    let before = engine.canvas().snapshot(&ada, &canvas.canvas_id, None).await.unwrap();
    engine.shutdown().await;

    let engine = Engine::builder().sqlite(&path).build().await.unwrap();
    let after = engine.canvas().snapshot(&ada, &canvas.canvas_id, None).await.unwrap();
    assert_eq!((after.rev, &after.state_hash), (applied.rev, &before.state_hash));
    engine.shutdown().await;
}

#[tokio::test]
async fn events_are_scrubbed_audited_and_recorded_once() {
    let engine = Engine::builder().memory().build().await.unwrap();
    let ada = context("t_acme", "ada", Role::Member).unwrap();
    let first = engine.events().record(&ada, event("write to ada@example.com", Some("k"))).await.unwrap();
    assert_eq!((first.seq.0, first.train_ok, first.replayed), (1, true, false));
    assert_eq!(serde_json::to_value(&first.pii_flags).unwrap()["counts"]["EMAIL_ADDRESS"], 1);
    let again = engine.events().record(&ada, event("write to ada@example.com", Some("k"))).await.unwrap();
    assert_eq!((again.event_id, again.seq, again.replayed), (first.event_id, first.seq, true));
    let other = engine.events().record(&ada, event("another thing", Some("k"))).await.unwrap_err();
    assert_eq!(other.code(), Code::IdempotencyMismatch);
    let stored = engine.events().list(&ada, &EventFilter::default(), PageRequest::first(10)).await.unwrap().items;
    let body = stored[0].body.get();
    assert!(stored.len() == 1 && body.contains("[EMAIL_ADDRESS]") && !body.contains("example.com"), "{body}");
    let acme = scope("t_acme", Env::Dev).unwrap();
    let audit = engine.store().audit(&acme, &AuditFilter::default(), PageRequest::first(10)).await.unwrap().items;
    assert_eq!(audit.len(), 1);
    assert_eq!((&*audit[0].action, &audit[0].resource), ("event.record", &format!("events/{}", first.event_id)));
    for (field, value) in [("surface", json!("")), ("agent_id", json!("")), ("actor_type", json!("robot"))] {
        let mut bad = json!({ "surface": "s", "agent_id": "a", "input": {}, "output": {} });
        bad[field] = value;
        let error = engine.events().record(&ada, serde_json::from_value(bad).unwrap()).await.unwrap_err();
        assert_eq!(error.member("field"), Some(&format!("/{field}").into()));
    }
    let eve = context("t_acme", "eve", Role::Viewer).unwrap();
    assert_eq!(engine.events().record(&eve, event("x", None)).await.unwrap_err().code(), Code::RoleInsufficient);
    assert!(engine.events().list(&eve, &EventFilter::default(), PageRequest::first(1)).await.is_ok());
}

#[derive(Debug, Clone, Default)]
struct CollectingSink(Arc<Mutex<Vec<String>>>);

#[async_trait::async_trait]
impl EventSink for CollectingSink {
    fn name(&self) -> &str {
        "kept"
    }

    async fn write(&self, _: &Scope, batch: &[CleanEvent]) -> Result<(), SinkError> {
        self.0.lock().unwrap().extend(batch.iter().map(|event| event.body().get().to_owned()));
        Ok(())
    }
}

#[tokio::test]
async fn a_sink_receives_recorded_events() {
    let kept = CollectingSink::default();
    let engine = Engine::builder().memory().sink(kept.clone()).build().await.unwrap();
    let ada = context("t_acme", "ada", Role::Member).unwrap();
    engine.events().record(&ada, event("write to ada@example.com", None)).await.unwrap();
    while kept.0.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    assert!(kept.0.lock().unwrap()[0].contains("[EMAIL_ADDRESS]"));
    assert_eq!(engine.sinks().len(), 1);
    engine.shutdown().await;
}

#[tokio::test]
async fn identity_needs_a_signing_secret_and_the_root_key() {
    let secret = || SigningSecret::new("a secret for tests alone, of 32 bytes and more").unwrap();
    let bare = Engine::builder().memory().build().await.unwrap();
    // A store in memory needs no root key; without a signing secret no login is possible.
    assert!(bare.identity().is_none() && bare.key_slots().is_some());
    let own = Arc::new(MemoryStore::new(&IdGenerator::seeded(1)));
    let without_root = Engine::builder().store(own.clone()).signing_secret(secret()).build().await.unwrap();
    assert!(without_root.identity().is_none() && without_root.key_slots().is_none());
    let root = RootKey::new(b"a root key for tests alone, which stays the same").unwrap();
    let engine = Engine::builder().store(own.clone()).signing_secret(secret()).root_key(root).build().await.unwrap();
    // With another root key no user would be found any more, so the engine does not start.
    let other = RootKey::new(b"another root key for tests alone, not the same").unwrap();
    let refused = Engine::builder().store(own).signing_secret(secret()).root_key(other).build().await.unwrap_err();
    assert!(refused.detail().contains("root key"), "{refused:?}");
    let id = TenantId::new("t_acme").unwrap();
    engine.identity().unwrap().ensure_tenant(&id, "Acme").await.unwrap();
    engine.identity().unwrap().ensure_tenant(&id, "Another name").await.unwrap();
    let ada = context("t_acme", "ada", Role::Viewer).unwrap();
    assert_eq!(engine.identity().unwrap().get_tenant(&ada, &id).await.unwrap().name, "Acme");
    // Background tasks end with the engine.
    engine.shutdown().await;
}

#[tokio::test]
async fn plain_strings_enter_the_engine_as_a_request_does_over_http() {
    let secret = SigningSecret::new("a secret for tests, at least 32 bytes long").unwrap();
    let engine = Engine::builder().memory().signing_secret(secret).build().await.unwrap();
    let mut request = TokenRequest::new(UserId::new("ada").unwrap(), Duration::from_secs(900));
    request.memberships.insert(TenantId::new("t_acme").unwrap(), Role::Member);
    request.default_tenant = Some(TenantId::new("t_acme").unwrap());
    let token = engine.issuer().unwrap().issue(&request).unwrap();
    let enter = async |token: &str, tenant: &str, env: &str| {
        let entered = engine.enter(token, tenant, env).await;
        entered.map(|context| context.scope().to_string()).map_err(|error| error.code())
    };
    assert_eq!(enter(token.expose(), "t_acme", "stage").await.as_deref(), Ok("t_acme/staging"));
    assert_eq!(enter(token.expose(), "", "dev").await.as_deref(), Ok("t_acme/dev"));
    assert_eq!(enter(token.expose(), "t_other", "dev").await, Err(Code::TenantForbidden));
    assert_eq!(enter(token.expose(), "t_acme", "moon").await, Err(Code::EnvInvalid));
    assert_eq!(enter("", "t_acme", "dev").await, Err(Code::TokenMissing));
    assert_eq!(enter("a.b.c", "t_acme", "dev").await, Err(Code::TokenInvalid));
    let trace = engine.enter(token.expose(), "t_acme", "dev").await.unwrap().trace().clone();
    let continued = engine.enter_with_trace(token.expose(), "t_acme", "dev", trace.clone()).await.unwrap();
    assert_eq!(continued.trace(), &trace);
    engine.shutdown().await;
}

/// Waits until nothing holds the store any more; returns whether that happens.
async fn is_released(store: &std::sync::Weak<MemoryStore>) -> bool {
    for _ in 0..1000 {
        if store.strong_count() == 0 {
            return true;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    false
}

#[tokio::test]
async fn an_engine_dropped_without_shutdown_stops_its_tasks() {
    let store = Arc::new(MemoryStore::new(&IdGenerator::seeded(1)));
    let released = Arc::downgrade(&store);
    let engine = Engine::builder()
        .store(store)
        .root_key(RootKey::new(b"a root key for tests alone, which stays the same").unwrap())
        .signing_secret(SigningSecret::new("a secret for tests alone, of 32 bytes and more").unwrap())
        .sink(CollectingSink::default())
        .build()
        .await
        .unwrap();
    assert!(engine.identity().is_some());
    drop(engine);
    assert!(is_released(&released).await, "a task of the dropped engine still holds the store");
}
