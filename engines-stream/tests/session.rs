//! A WebSocket session without a socket: what each message does, and what is refused.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{sync::Arc, time::Duration};

use engines_core::{Guard, IdGenerator, Limits, RequestContext, Role, Store, StreamKey, nexus::Page, testing};
use engines_storage::MemoryStore;
use engines_stream::{
    canvas::{CanvasService, Command, NewCanvas},
    chat::{ChatService, NewThread},
    follow::{Channels, FollowService},
    hub::{Hub, Start},
    presence::PresenceService,
    relay::LocalRelay,
    ws::{CloseCode, Outgoing, Services, Session},
};
use serde_json::{Value, json};

struct World {
    services: Services,
    ids: IdGenerator,
    ada: RequestContext,
}

async fn world(limits: Limits) -> World {
    let ids = IdGenerator::seeded(3);
    let limits = Arc::new(limits);
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new(&ids));
    let guard = Guard::allow_all().unwrap();
    let hub = Hub::new(Arc::clone(&store), Arc::new(LocalRelay::default()), Arc::clone(&limits));
    let follow = FollowService::new(Arc::clone(&store), guard.clone(), hub.clone());
    let canvas =
        CanvasService::builder(Arc::clone(&store), guard.clone(), Arc::clone(&limits)).live(Arc::new(hub)).build();
    let services = Services {
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
    World { services, ids, ada }
}

impl World {
    async fn open(&self, fixed: Option<(&str, Channels)>) -> Session {
        let fixed = fixed.map(|(key, channels)| (key.parse::<StreamKey>().unwrap(), channels, Start::Live));
        let id = self.ids.ulid(engines_core::Timestamp::from_millis(1));
        let mut session = Session::open(self.services.clone(), self.ada.clone(), id, fixed).await.unwrap();
        let hello = text(&mut session).await;
        assert_eq!((&hello["type"], &hello["heartbeat_s"]), (&json!("hello"), &json!(20)));
        session
    }
}

async fn text(session: &mut Session) -> Value {
    match tokio::time::timeout(Duration::from_secs(10), session.next()).await.unwrap() {
        Outgoing::Text(text) => serde_json::from_slice(&text).unwrap(),
        Outgoing::Close(code) => panic!("closed with {code:?}"),
    }
}

async fn ask(session: &mut Session, message: Value) -> Value {
    assert!(session.is_ready());
    session.receive(message.to_string().as_bytes());
    loop {
        let answer = text(session).await;
        if ["ack", "error", "pong"].contains(&answer["type"].as_str().unwrap()) {
            return answer;
        }
    }
}

#[tokio::test]
async fn a_session_about_one_thread_talks_and_listens() {
    let world = world(Limits::default()).await;
    let mut session = world.open(Some(("chat/t", Channels::default()))).await;
    let ack = ask(&mut session, json!({"type": "message", "text": "hi", "ref": 7})).await;
    assert_eq!((&ack["type"], &ack["ref"], &ack["seq"]), (&json!("ack"), &json!(7), &json!(1)));
    let event = text(&mut session).await;
    assert_eq!((&event["type"], &event["data"]["text"]), (&json!("user_message"), &json!("hi")));
    assert_eq!(event["cursor"], ack["cursor"]);
    let once = json!({"type": "message", "text": "again", "idempotency_key": "k"});
    let first = ask(&mut session, once.clone()).await;
    let second = ask(&mut session, once).await;
    assert_eq!((&first["event_id"], &second["replayed"]), (&second["event_id"], &json!(true)));
    assert_eq!(ask(&mut session, json!({"type": "ping", "ref": "p"})).await["ref"], "p");
}

#[tokio::test]
async fn one_socket_follows_many_streams_and_resumes_each() {
    let world = world(Limits::default()).await;
    let mut session = world.open(None).await;
    for stream in ["chat/t", "canvas/c"] {
        let ack = ask(&mut session, json!({"type": "subscribe", "stream": stream, "ref": stream})).await;
        assert_eq!((&ack["type"], &ack["stream"]), (&json!("ack"), &json!(stream)));
    }
    let command = Command::new(0, &json!([{"op": "add", "path": "/a", "value": 1}])).unwrap();
    world.services.canvas.command(&world.ada, &"c".parse().unwrap(), command).await.unwrap();
    let commit = text(&mut session).await;
    assert_eq!((&commit["type"], &commit["routing"]["canvas_id"]), (&json!("canvas_commit"), &json!("c")));
    ask(&mut session, json!({"type": "message", "stream": "chat/t", "text": "one"})).await;
    assert_eq!(text(&mut session).await["data"]["text"], "one");

    assert_eq!(ask(&mut session, json!({"type": "unsubscribe", "stream": "canvas/c"})).await["type"], "ack");
    assert_eq!(ask(&mut session, json!({"type": "unsubscribe", "stream": "canvas/c"})).await["code"], "NOT_FOUND");
    let command = Command::new(1, &json!([{"op": "add", "path": "/b", "value": 2}])).unwrap();
    world.services.canvas.command(&world.ada, &"c".parse().unwrap(), command).await.unwrap();
    let after = json!({"type": "subscribe", "stream": "canvas/c", "after": commit["cursor"]});
    assert_eq!(ask(&mut session, after).await["type"], "ack");
    assert_eq!(text(&mut session).await["seq"], 2);
}

#[tokio::test]
async fn gestures_and_presence_reach_those_who_are_there() {
    let world = world(Limits::default()).await;
    let live = Channels { live: true, ..Channels::default() };
    let mut watcher = world.open(Some(("canvas/c", live))).await;
    assert_eq!(text(&mut watcher).await["type"], "presence_joined");
    let mut actor = world.open(Some(("canvas/c", Channels::default()))).await;
    assert_eq!(text(&mut watcher).await["type"], "presence_joined");
    ask(&mut actor, json!({"type": "gesture", "kind": "cursor", "data": {"x": 1}})).await;
    let gesture = text(&mut watcher).await;
    assert_eq!((&gesture["type"], &gesture["seq"]), (&json!("gesture"), &Value::Null));
    assert_eq!((&gesture["data"]["kind"], &gesture["data"]["data"]["x"]), (&json!("cursor"), &json!(1)));
    ask(&mut actor, json!({"type": "presence", "data": {"colour": "red"}})).await;
    assert_eq!(text(&mut watcher).await["data"]["data"]["colour"], "red");
    let key = "canvas/c".parse().unwrap();
    let here = world.services.presence.list(&world.ada, &key, Page::first(10)).await.unwrap();
    assert_eq!(here.items.len(), 2);
    assert!(here.items.iter().any(|here| here.data.as_ref().is_some_and(|data| data.get().contains("red"))));
    drop(actor);
    assert_eq!(text(&mut watcher).await["type"], "presence_left");
    assert_eq!(world.services.presence.list(&world.ada, &key, Page::first(10)).await.unwrap().items.len(), 1);
}

#[tokio::test]
async fn what_is_wrong_is_said_and_the_session_goes_on() {
    let world = world(Limits { subscriptions_per_socket: 1, ephemeral_bytes: 64, ..Limits::default() }).await;
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
        let answer = ask(&mut session, message.clone()).await;
        assert_eq!((&answer["type"], &answer["code"]), (&json!("error"), &json!(code)), "{message}");
        assert_eq!(answer["data"]["code"], code);
    }
    // What cannot be read otherwise is answered with its `ref` all the same.
    assert_eq!(ask(&mut session, json!({"type": "dance", "ref": "d"})).await["ref"], "d");
    let mismatch = ask(&mut session, json!({"type": "subscribe", "stream": "chat/t", "env": "prod", "ref": 3})).await;
    assert_eq!((&mismatch["code"], &mismatch["ref"]), (&json!("CONTEXT_MISMATCH"), &json!(3)));
    for message in [
        json!({"type": "ping", "tenant_id": "t_other"}),
        json!({"type": "subscribe", "stream": "chat/t", "routing": {"thread_id": "u"}}),
        json!({"type": "gesture", "stream": "canvas/c", "kind": "k", "routing": {"actor_type": "agent"}}),
        json!({"type": "gesture", "stream": "canvas/c", "kind": "k", "tenantId": "t_other"}),
    ] {
        assert_eq!(ask(&mut session, message.clone()).await["code"], "CONTEXT_MISMATCH", "{message}");
    }
    for rubbish in [&b""[..], b"{", b"\xff\xfe", "[".repeat(10_000).as_bytes()] {
        session.receive(rubbish);
        assert_eq!(text(&mut session).await["type"], "error");
    }
    assert_eq!(ask(&mut session, json!({"type": "subscribe", "stream": "chat/t"})).await["type"], "ack");
    assert_eq!(ask(&mut session, json!({"type": "subscribe", "stream": "chat/t"})).await["code"], "ALREADY_EXISTS");
    assert_eq!(ask(&mut session, json!({"type": "subscribe", "stream": "canvas/c"})).await["code"], "RATE_LIMITED");
    assert_eq!(session.next().await, Outgoing::Close(CloseCode::TooMany));
    let mut fixed = world.open(Some(("chat/t", Channels::default()))).await;
    let other = json!({"type": "message", "stream": "chat/u", "text": "x"});
    assert_eq!(ask(&mut fixed, other).await["code"], "CONTEXT_MISMATCH");
}

#[tokio::test]
async fn a_viewer_listens_and_may_not_talk() {
    let mut world = world(Limits::default()).await;
    world.ada = testing::context("t_acme", "vic", Role::Viewer).unwrap();
    let mut session = world.open(Some(("chat/t", Channels::default()))).await;
    let answer = ask(&mut session, json!({"type": "message", "text": "x"})).await;
    assert_eq!(answer["code"], "ROLE_INSUFFICIENT");
}

#[tokio::test]
async fn another_tenants_stream_does_not_exist_and_a_closing_hub_says_so() {
    let world = world(Limits::default()).await;
    let stranger = testing::context("t_other", "ada", Role::Owner).unwrap();
    let id = world.ids.ulid(engines_core::Timestamp::from_millis(1));
    let fixed = Some(("chat/t".parse().unwrap(), Channels::default(), Start::Live));
    let refused = Session::open(world.services.clone(), stranger, id, fixed).await.unwrap_err();
    assert_eq!(CloseCode::of(&refused).code(), 4404);
    let mut session = world.open(Some(("chat/t", Channels::default()))).await;
    world.services.follow.hub().close();
    assert_eq!(session.next().await, Outgoing::Close(CloseCode::GoingAway));
    assert!(!session.is_ready());
}
