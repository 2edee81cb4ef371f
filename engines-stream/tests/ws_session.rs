//! A WebSocket session without a socket: the effect of each message, and rejections.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{sync::Arc, time::Duration};

use engines_core::{Guard, IdGenerator, Limits, RequestContext, Role, Store, StreamKey, nexus::PageRequest, testing};
use engines_storage::MemoryStore;
use engines_stream::{
    canvas::{CanvasCommand, CanvasService, NewCanvas},
    chat::{ChatService, NewThread},
    follow::{Channels, FollowService},
    hub::{Hub, StartPosition},
    presence::PresenceService,
    relay::LocalRelay,
    ws::{CloseCode, SessionServices, SocketAction, SocketSession},
};
use serde_json::{Value, json};

struct SessionFixture {
    services: SessionServices,
    ids: IdGenerator,
    ada: RequestContext,
}

async fn session_fixture(limits: Limits) -> SessionFixture {
    let ids = IdGenerator::seeded(3);
    let limits = Arc::new(limits);
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new(&ids));
    let guard = Guard::allow_all().unwrap();
    let hub = Hub::new(Arc::clone(&store), Arc::new(LocalRelay::default()), Arc::clone(&limits));
    let follow = FollowService::new(Arc::clone(&store), guard.clone(), hub.clone());
    let canvas = CanvasService::builder(Arc::clone(&store), guard.clone(), Arc::clone(&limits))
        .ephemeral_sink(Arc::new(hub))
        .build();
    let services = SessionServices {
        presence: PresenceService::new(follow.clone(), Arc::clone(&limits)),
        chat: ChatService::new(Arc::clone(&store), guard, Arc::clone(&limits)),
        follow,
        canvas,
        limits,
    };
    let ada = testing::context("t_acme", "ada", Role::Member).unwrap();
    let thread = NewThread { thread_id: Some("t".parse().unwrap()), ..NewThread::default() };
    services.chat.create_thread(&ada, thread).await.unwrap();
    let canvas = NewCanvas { canvas_id: Some("c".parse().unwrap()), ..NewCanvas::default() };
    services.canvas.create(&ada, canvas).await.unwrap();
    SessionFixture { services, ids, ada }
}

impl SessionFixture {
    async fn open(&self, fixed: Option<(&str, Channels)>) -> SocketSession {
        let fixed = fixed.map(|(key, channels)| (key.parse::<StreamKey>().unwrap(), channels, StartPosition::Live));
        let id = self.ids.ulid(engines_core::Timestamp::from_millis(1));
        let mut session = SocketSession::open(self.services.clone(), self.ada.clone(), id, fixed).await.unwrap();
        let hello = next_message(&mut session).await;
        assert_eq!((&hello["type"], &hello["heartbeat_s"]), (&json!("hello"), &json!(20)));
        session
    }
}

async fn next_message(session: &mut SocketSession) -> Value {
    match tokio::time::timeout(Duration::from_secs(10), session.next()).await.unwrap() {
        SocketAction::Text(text) => serde_json::from_slice(&text).unwrap(),
        SocketAction::Close(code) => panic!("closed with {code:?}"),
    }
}

async fn request(session: &mut SocketSession, message: Value) -> Value {
    assert!(session.is_ready());
    session.receive(message.to_string().as_bytes());
    loop {
        let answer = next_message(session).await;
        if ["ack", "error", "pong"].contains(&answer["type"].as_str().unwrap()) {
            return answer;
        }
    }
}

#[tokio::test]
async fn a_session_of_one_thread_posts_and_receives() {
    let world = session_fixture(Limits::default()).await;
    let mut session = world.open(Some(("chat/t", Channels::default()))).await;
    let ack = request(&mut session, json!({"type": "message", "text": "hi", "ref": 7})).await;
    assert_eq!((&ack["type"], &ack["ref"], &ack["seq"]), (&json!("ack"), &json!(7), &json!(1)));
    let event = next_message(&mut session).await;
    assert_eq!((&event["type"], &event["data"]["text"]), (&json!("user_message"), &json!("hi")));
    assert_eq!(event["cursor"], ack["cursor"]);
    let once = json!({"type": "message", "text": "again", "idempotency_key": "k"});
    let first = request(&mut session, once.clone()).await;
    let second = request(&mut session, once).await;
    assert_eq!((&first["event_id"], &second["replayed"]), (&second["event_id"], &json!(true)));
    assert_eq!(request(&mut session, json!({"type": "ping", "ref": "p"})).await["ref"], "p");
}

#[tokio::test]
async fn one_socket_follows_many_streams_and_resumes_each() {
    let world = session_fixture(Limits::default()).await;
    let mut session = world.open(None).await;
    for stream in ["chat/t", "canvas/c"] {
        let ack = request(&mut session, json!({"type": "subscribe", "stream": stream, "ref": stream})).await;
        assert_eq!((&ack["type"], &ack["stream"]), (&json!("ack"), &json!(stream)));
    }
    let command = CanvasCommand::new(0, &json!([{"op": "add", "path": "/a", "value": 1}])).unwrap();
    world.services.canvas.command(&world.ada, &"c".parse().unwrap(), command).await.unwrap();
    let commit = next_message(&mut session).await;
    assert_eq!((&commit["type"], &commit["routing"]["canvas_id"]), (&json!("canvas_commit"), &json!("c")));
    request(&mut session, json!({"type": "message", "stream": "chat/t", "text": "one"})).await;
    assert_eq!(next_message(&mut session).await["data"]["text"], "one");

    assert_eq!(request(&mut session, json!({"type": "unsubscribe", "stream": "canvas/c"})).await["type"], "ack");
    assert_eq!(request(&mut session, json!({"type": "unsubscribe", "stream": "canvas/c"})).await["code"], "NOT_FOUND");
    let command = CanvasCommand::new(1, &json!([{"op": "add", "path": "/b", "value": 2}])).unwrap();
    world.services.canvas.command(&world.ada, &"c".parse().unwrap(), command).await.unwrap();
    let after = json!({"type": "subscribe", "stream": "canvas/c", "after": commit["cursor"]});
    assert_eq!(request(&mut session, after).await["type"], "ack");
    assert_eq!(next_message(&mut session).await["seq"], 2);
}

#[tokio::test]
async fn gestures_and_presence_reach_present_subscribers() {
    let world = session_fixture(Limits::default()).await;
    let live = Channels { ephemeral: true, ..Channels::default() };
    let mut watcher = world.open(Some(("canvas/c", live))).await;
    assert_eq!(next_message(&mut watcher).await["type"], "presence_joined");
    let mut actor = world.open(Some(("canvas/c", Channels::default()))).await;
    assert_eq!(next_message(&mut watcher).await["type"], "presence_joined");
    request(&mut actor, json!({"type": "gesture", "kind": "cursor", "data": {"x": 1}})).await;
    let gesture = next_message(&mut watcher).await;
    assert_eq!((&gesture["type"], &gesture["seq"]), (&json!("gesture"), &Value::Null));
    assert_eq!((&gesture["data"]["kind"], &gesture["data"]["data"]["x"]), (&json!("cursor"), &json!(1)));
    request(&mut actor, json!({"type": "presence", "data": {"colour": "red"}})).await;
    assert_eq!(next_message(&mut watcher).await["data"]["data"]["colour"], "red");
    let key = "canvas/c".parse().unwrap();
    let here = world.services.presence.list(&world.ada, &key, PageRequest::first(10)).await.unwrap();
    assert_eq!(here.items.len(), 2);
    assert!(here.items.iter().any(|here| here.data.as_ref().is_some_and(|data| data.get().contains("red"))));
    drop(actor);
    assert_eq!(next_message(&mut watcher).await["type"], "presence_left");
    assert_eq!(world.services.presence.list(&world.ada, &key, PageRequest::first(10)).await.unwrap().items.len(), 1);
}

#[tokio::test]
async fn an_invalid_message_gets_an_error_and_the_session_continues() {
    let world = session_fixture(Limits { subscriptions_per_socket: 1, ephemeral_bytes: 64, ..Limits::default() }).await;
    let mut session = world.open(None).await;
    let cases = [
        (json!({"type": "subscribe"}), "BODY_INVALID"),
        (json!({"type": "subscribe", "stream": "nothing"}), "ID_INVALID"),
        (json!({"type": "subscribe", "stream": "chat/none", "ref": 1}), "NOT_FOUND"),
        (json!({"type": "subscribe", "stream": "chat/t", "after": "rubbish"}), "CURSOR_INVALID"),
        (json!({"type": "message", "stream": "canvas/c", "text": "x"}), "BODY_INVALID"),
        (json!({"type": "message", "stream": "chat/t"}), "BODY_INVALID"),
        (json!({"type": "message", "stream": "chat/t", "text": 5}), "BODY_INVALID"),
        (json!({"type": "gesture", "stream": "canvas/c", "kind": "k", "data": "x".repeat(100)}), "BODY_TOO_LARGE"),
        (json!({"type": "presence", "stream": "chat/t", "data": 1}), "NOT_FOUND"),
        (json!({"type": "dance"}), "BODY_INVALID"),
        (json!([1]), "BODY_INVALID"),
    ];
    for (message, code) in cases {
        let answer = request(&mut session, message.clone()).await;
        assert_eq!((&answer["type"], &answer["code"]), (&json!("error"), &json!(code)), "{message}");
        assert_eq!(answer["data"]["code"], code);
    }
    // A message that cannot be parsed is still answered with its `ref`.
    assert_eq!(request(&mut session, json!({"type": "dance", "ref": "d"})).await["ref"], "d");
    let mismatch =
        request(&mut session, json!({"type": "subscribe", "stream": "chat/t", "env": "prod", "ref": 3})).await;
    assert_eq!((&mismatch["code"], &mismatch["ref"]), (&json!("CONTEXT_MISMATCH"), &json!(3)));
    for message in [
        json!({"type": "ping", "tenant_id": "t_other"}),
        json!({"type": "subscribe", "stream": "chat/t", "routing": {"thread_id": "u"}}),
        json!({"type": "gesture", "stream": "canvas/c", "kind": "k", "routing": {"actor_type": "agent"}}),
        json!({"type": "gesture", "stream": "canvas/c", "kind": "k", "tenantId": "t_other"}),
    ] {
        assert_eq!(request(&mut session, message.clone()).await["code"], "CONTEXT_MISMATCH", "{message}");
    }
    for rubbish in [&b""[..], b"{", b"\xff\xfe", "[".repeat(10_000).as_bytes()] {
        session.receive(rubbish);
        assert_eq!(next_message(&mut session).await["type"], "error");
    }
    assert_eq!(request(&mut session, json!({"type": "subscribe", "stream": "chat/t"})).await["type"], "ack");
    assert_eq!(request(&mut session, json!({"type": "subscribe", "stream": "chat/t"})).await["code"], "ALREADY_EXISTS");
    assert_eq!(request(&mut session, json!({"type": "subscribe", "stream": "canvas/c"})).await["code"], "RATE_LIMITED");
    assert_eq!(session.next().await, SocketAction::Close(CloseCode::LimitExceeded));
    let mut fixed = world.open(Some(("chat/t", Channels::default()))).await;
    let other = json!({"type": "message", "stream": "chat/u", "text": "x"});
    assert_eq!(request(&mut fixed, other).await["code"], "CONTEXT_MISMATCH");
}

#[tokio::test]
async fn a_viewer_can_follow_and_cannot_post() {
    let mut world = session_fixture(Limits::default()).await;
    world.ada = testing::context("t_acme", "vic", Role::Viewer).unwrap();
    let mut session = world.open(Some(("chat/t", Channels::default()))).await;
    let answer = request(&mut session, json!({"type": "message", "text": "x"})).await;
    assert_eq!(answer["code"], "ROLE_INSUFFICIENT");
}

#[tokio::test]
async fn another_tenants_stream_is_not_found_and_a_closing_hub_closes_with_going_away() {
    let world = session_fixture(Limits::default()).await;
    let stranger = testing::context("t_other", "ada", Role::Owner).unwrap();
    let id = world.ids.ulid(engines_core::Timestamp::from_millis(1));
    let fixed = Some(("chat/t".parse().unwrap(), Channels::default(), StartPosition::Live));
    let refused = SocketSession::open(world.services.clone(), stranger, id, fixed).await.unwrap_err();
    assert_eq!(CloseCode::for_error(&refused).number(), 4404);
    let mut session = world.open(Some(("chat/t", Channels::default()))).await;
    world.services.follow.hub().close();
    assert_eq!(session.next().await, SocketAction::Close(CloseCode::GoingAway));
    assert!(!session.is_ready());
}
