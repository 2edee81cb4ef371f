//! Chats through their public API.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use engines_core::{
    Batch, Code, Error, Guard, IdGenerator, Limits, RequestContext, ResourceId, Role, Store, StreamKey,
    audit::AuditFilter,
    nexus::PageRequest,
    stream::Seq,
    testing::{self, ManualClock},
};
use engines_storage::MemoryStore;
use engines_stream::chat::{ChatService, NewMessage, NewThread};
use futures_util::future::join_all;
use serde_json::{Value, json};

struct ChatFixture {
    store: Arc<MemoryStore>,
    chat: ChatService,
    ada: RequestContext,
    id: ResourceId,
}

async fn chat_fixture() -> ChatFixture {
    let store = Arc::new(MemoryStore::new(&IdGenerator::from_os().unwrap()));
    let chat = ChatService::new(Arc::clone(&store) as _, Guard::allow_all().unwrap(), Arc::new(Limits::default()));
    let ada = testing::context("t_acme", "ada", Role::Member).unwrap();
    let id = ResourceId::new("th1").unwrap();
    chat.create_thread(&ada, NewThread { thread_id: Some(id.clone()), ..NewThread::default() }).await.unwrap();
    ChatFixture { store, chat, ada, id }
}

impl ChatFixture {
    async fn post(&self, text: &str) -> engines_stream::chat::PostedMessage {
        self.chat.post(&self.ada, &self.id, NewMessage::text(text)).await.unwrap()
    }
}

#[tokio::test]
async fn a_thread_id_can_be_created_once_and_threads_list_newest_first() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new(&IdGenerator::from_os().unwrap()));
    let clock = ManualClock::default();
    let guard = Guard::new(Arc::new(engines_core::gate::AllowAll), Arc::new(clock.clone()), IdGenerator::seeded(1));
    let chat = ChatService::new(store, guard, Arc::new(Limits::default()));
    let ada = testing::context("t_acme", "ada", Role::Member).unwrap();
    for n in 0..5 {
        clock.advance(std::time::Duration::from_secs(1));
        let body = json!({"thread_id": format!("t{n}"), "title": "T", "participants": ["bob"], "routing": null});
        let new: NewThread = serde_json::from_value(body).unwrap();
        let made = chat.create_thread(&ada, new.clone()).await.unwrap();
        assert_eq!(chat.thread(&ada, &made.thread_id).await.unwrap(), made);
        assert_eq!(chat.create_thread(&ada, new).await.unwrap_err().code(), Code::AlreadyExists);
    }
    clock.advance(std::time::Duration::from_secs(1));
    chat.post(&ada, &ResourceId::new("t0").unwrap(), NewMessage::text("hi")).await.unwrap();
    let (mut page, mut seen) = (PageRequest::first(2), Vec::new());
    loop {
        let found = chat.threads(&ada, page).await.unwrap();
        seen.extend(found.items.iter().map(|thread| thread.thread_id.to_string()));
        let Some(next) = found.next else { break };
        page = PageRequest::after(2, next);
    }
    assert_eq!(seen, ["t4", "t3", "t2", "t1", "t0"]);
    let long = NewThread { title: Some("x".repeat(2000)), ..NewThread::default() };
    assert_eq!(chat.create_thread(&ada, long).await.unwrap_err().code(), Code::BodyInvalid);
}

#[tokio::test]
async fn a_message_is_an_event_in_an_envelope() {
    let world = chat_fixture().await;
    let body = json!({"text": "hello\nthere", "role": "assistant", "scope": "plan", "correlation_id": "c",
        "routing": {"tenant_id": "t_acme", "thread_id": "th1", "session_id": "s1"}, "unknown": 1});
    let posted = world.chat.post(&world.ada, &world.id, serde_json::from_value(body).unwrap()).await.unwrap();
    let wire = serde_json::to_value(&posted).unwrap();
    assert_eq!((&wire["type"], &wire["seq"]), (&json!("user_message"), &json!(1)));
    assert_eq!(wire["data"]["message_id"], wire["event_id"]);
    assert_eq!(wire["data"]["text"], "hello\nthere");
    assert_eq!((&wire["data"]["role"], &wire["data"]["scope"]), (&json!("assistant"), &json!("plan")));
    assert_eq!((&wire["routing"]["thread_id"], &wire["routing"]["session_id"]), (&json!("th1"), &json!("s1")));
    assert_eq!(wire["ids"]["correlation_id"], "c");
    assert_eq!(serde_json::to_value(world.post("x").await).unwrap()["data"]["role"], "user");
    let audit = world.store.audit(world.ada.scope(), &AuditFilter::default(), PageRequest::first(10)).await.unwrap();
    let actions: Vec<_> = audit.items.iter().map(|entry| entry.action.as_ref()).collect();
    assert_eq!(actions, ["chat.thread.create", "chat.message.post", "chat.message.post"]);
}

#[tokio::test]
async fn a_retry_with_the_same_key_posts_once() {
    let world = chat_fixture().await;
    let try_it = |text: &str, key: &str| {
        let message = NewMessage { idempotency_key: Some(key.into()), ..NewMessage::text(text) };
        world.chat.post(&world.ada, &world.id, message)
    };
    let first = try_it("hello", "k").await.unwrap();
    world.post("between").await;
    let again = try_it("hello", "k").await.unwrap();
    assert!(again.replayed && !first.replayed);
    assert_eq!(serde_json::to_value(&again).unwrap(), serde_json::to_value(&first).unwrap());
    assert_eq!(try_it("other", "k").await.unwrap_err().code(), Code::IdempotencyMismatch);
    assert_eq!(try_it("other", "k2").await.unwrap().event.seq, Seq(3));
    let bob = testing::context("t_acme", "bob", Role::Member).unwrap();
    let message = NewMessage { idempotency_key: Some("k".into()), ..NewMessage::text("hello") };
    assert!(!world.chat.post(&bob, &world.id, message).await.unwrap().replayed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_clients_post_to_one_thread_at_once() {
    let world = Arc::new(chat_fixture().await);
    let clients = (0..500).map(|n| {
        let world = Arc::clone(&world);
        tokio::spawn(async move { world.post(&n.to_string()).await.event.seq.0 })
    });
    let mut seqs: Vec<_> = join_all(clients).await.into_iter().map(Result::unwrap).collect();
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=500).collect::<Vec<_>>());
}

#[tokio::test]
async fn messages_can_be_paged_from_any_cursor() {
    let world = chat_fixture().await;
    let mut cursors = Vec::new();
    for n in 0..10 {
        cursors.push(world.post(&n.to_string()).await.cursor.to_string());
    }
    let (mut after, mut seen): (Option<String>, Vec<u64>) = (None, Vec::new());
    loop {
        let page = world.chat.events(&world.ada, &world.id, after.as_deref(), 3).await.unwrap();
        seen.extend(page.items.iter().map(|item| item.event.seq.0));
        let wire = serde_json::to_value(&page).unwrap();
        assert_eq!(wire["items"].as_array().unwrap().len(), page.items.len());
        let Some(next) = wire["next"].as_str() else { break };
        after = Some(next.to_owned());
    }
    assert_eq!(seen, (1..=10).collect::<Vec<_>>());
    let from = |cursor: String| {
        let world = &world;
        async move { world.chat.events(&world.ada, &world.id, Some(&cursor), 500).await }
    };
    assert_eq!(from(cursors[6].clone()).await.unwrap().items.len(), 3);
    assert!(from(cursors[9].clone()).await.unwrap().items.is_empty());
    assert_eq!(from("nonsense".into()).await.unwrap_err().code(), Code::CursorInvalid);
    let foreign =
        engines_core::Cursor::single(world.store.log_id(), world.ada.scope(), &"chat/other".parse().unwrap(), Seq(1));
    assert_eq!(from(foreign.to_string()).await.unwrap_err().code(), Code::CursorInvalid);
    let trim = Batch::new(engines_core::Timestamp::default()).trim(StreamKey::chat(&world.id), Seq(6));
    world.store.commit(world.ada.scope(), trim).await.unwrap();
    let error = from(cursors[2].clone()).await.unwrap_err();
    assert_eq!((error.code(), error.member("head_seq")), (Code::ReplayMiss, Some(&json!(10))));
    assert_eq!(from(cursors[4].clone()).await.unwrap().items.len(), 5);
    assert_eq!(world.chat.events(&world.ada, &world.id, None, 500).await.unwrap().items.len(), 5);
}

#[tokio::test]
async fn invalid_messages_and_threads_are_rejected() {
    let world = chat_fixture().await;
    let code = |context: &RequestContext, id: &str, message: NewMessage| {
        let (world, context, id) = (&world, context.clone(), ResourceId::new(id).unwrap());
        async move { world.chat.post(&context, &id, message).await.map(drop).map_err(|error: Error| error.code()) }
    };
    let (ada, text) = (&world.ada, |text: &str| NewMessage::text(text));
    assert_eq!(code(ada, "th1", text("")).await, Err(Code::BodyInvalid));
    assert_eq!(code(ada, "th1", NewMessage::text("x".repeat(256 << 10))).await, Err(Code::BodyTooLarge));
    assert_eq!(code(ada, "nowhere", text("x")).await, Err(Code::NotFound));
    let key = NewMessage { idempotency_key: Some(String::new()), ..text("x") };
    assert_eq!(code(ada, "th1", key).await, Err(Code::BodyInvalid));
    let routed: NewMessage = serde_json::from_value(json!({"text": "x", "routing": {"actor_id": "eve"}})).unwrap();
    assert_eq!(code(ada, "th1", routed).await, Err(Code::ContextMismatch));
    let viewer = testing::context("t_acme", "eve", Role::Viewer).unwrap();
    assert_eq!(code(&viewer, "th1", text("x")).await, Err(Code::RoleInsufficient));
    let stranger = testing::context("t_other", "ada", Role::Owner).unwrap();
    assert_eq!(code(&stranger, "th1", text("x")).await, Err(Code::NotFound));
    let hidden = world.chat.events(&stranger, &world.id, None, 10).await.unwrap_err();
    assert_eq!(hidden.code(), Code::NotFound);
    assert!(world.chat.threads(&stranger, PageRequest::first(10)).await.unwrap().items.is_empty());
    let head = world.store.head(world.ada.scope(), &StreamKey::chat(&world.id)).await.unwrap();
    assert_eq!(head.seq, Seq(0));
    assert!(serde_json::from_value::<NewMessage>(json!({"text": 5})).is_err());
    assert!(!format!("{:?}", NewMessage::text("private")).contains("private"));
    let _: Value = serde_json::to_value(world.chat.thread(&world.ada, &world.id).await.unwrap()).unwrap();
}
