//! The hub delivers each durable event once and in order, wherever a reader was cut off and however slow it is.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{sync::Arc, time::Duration};

use engines_core::{
    Batch, Code, Cursor, Limits, RequestContext, ResourceId, Role, Store, StreamKey, Timestamp,
    clock::IdGenerator,
    nexus::ExpectedHead,
    stream::{LogId, NewEvent, Seq},
    testing,
};
use engines_storage::MemoryStore;
use engines_stream::{
    EphemeralSink, FollowedEvent,
    hub::{FrameKind, Hub, StartPosition, SubscribeRequest, Subscription},
    relay::LocalRelay,
};
use serde_json::{Value, value::to_raw_value};

struct HubFixture {
    store: Arc<MemoryStore>,
    hub: Hub,
    ids: IdGenerator,
    context: RequestContext,
}

fn stream_key(text: &str) -> StreamKey {
    text.parse().unwrap()
}

impl HubFixture {
    fn new(limits: Limits) -> Self {
        let ids = IdGenerator::seeded(7);
        let store = Arc::new(MemoryStore::new(&ids));
        let hub = Hub::new(Arc::clone(&store) as Arc<dyn Store>, Arc::new(LocalRelay::default()), Arc::new(limits));
        Self { store, hub, ids, context: testing::context("t_acme", "ada", Role::Member).unwrap() }
    }

    fn event(&self, n: u64) -> NewEvent {
        let at = Timestamp::from_millis(1);
        NewEvent::new(self.ids.ulid(at), at, "note", &self.context, to_raw_value(&n).unwrap())
    }

    async fn append(&self, stream: &str, n: u64) {
        let batch =
            Batch::new(Timestamp::from_millis(1)).append(stream_key(stream), ExpectedHead::Any, vec![self.event(n)]);
        self.store.commit(self.context.scope(), batch).await.unwrap();
    }

    async fn follow(&self, streams: &[&str], start: StartPosition) -> Subscription {
        let keys = streams.iter().map(|stream| stream_key(stream)).collect();
        let follow = SubscribeRequest { keys, ephemeral: None, start, snapshot_ref: Some("/snapshot".into()) };
        self.hub.subscribe(self.context.scope(), follow).await.unwrap()
    }
}

async fn next_event(subscription: &mut Subscription) -> (String, Value) {
    let frame = tokio::time::timeout(Duration::from_secs(20), subscription.next()).await.unwrap().unwrap().unwrap();
    let json: Value = serde_json::from_slice(&frame.json()).unwrap();
    let sse = String::from_utf8(frame.sse().to_vec()).unwrap();
    let id = sse.lines().find_map(|line| line.strip_prefix("id: ")).unwrap_or_default().to_owned();
    assert!(sse.ends_with("\n\n"));
    (id, json)
}

#[tokio::test]
async fn a_live_subscriber_gets_only_later_events() {
    let world = HubFixture::new(Limits::default());
    for n in 0..3 {
        world.append("chat/a", n).await;
    }
    let mut reader = world.follow(&["chat/a"], StartPosition::Live).await;
    world.append("chat/a", 3).await;
    let (id, json) = next_event(&mut reader).await;
    assert_eq!(json["seq"], 4);
    assert_eq!(json["cursor"], id.as_str());
    assert_eq!(json["routing"]["thread_id"], "a");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_reconnecting_subscriber_resumes_without_gap_or_repeat() {
    const EVENTS: u64 = 3000;
    let world = Arc::new(HubFixture::new(Limits { ring_events: 16, ..Limits::default() }));
    let writer = {
        let world = Arc::clone(&world);
        tokio::spawn(async move {
            for n in 1..=EVENTS {
                world.append("chat/a", n).await;
                if n % 50 == 0 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
        })
    };
    let readers: Vec<_> = (0..8_u64)
        .map(|reader| {
            let world = Arc::clone(&world);
            tokio::spawn(async move {
                let mut start = StartPosition::Beginning;
                let mut seen = 0;
                let mut cuts = 0_u64;
                while seen < EVENTS {
                    let mut subscription = world.follow(&["chat/a"], start.clone()).await;
                    let batch = world.ids.bytes::<1>()[0] as u64 * (reader + 1);
                    for _ in 0..=batch {
                        if seen == EVENTS {
                            break;
                        }
                        let (id, json) = next_event(&mut subscription).await;
                        seen += 1;
                        assert_eq!(json["seq"], seen);
                        assert_eq!(json["data"], seen);
                        start = StartPosition::After(id.parse().unwrap());
                        if cuts.is_multiple_of(3) {
                            tokio::task::yield_now().await;
                        }
                    }
                    cuts += 1;
                }
                cuts
            })
        })
        .collect();
    for reader in readers {
        assert!(reader.await.unwrap() > 0);
    }
    writer.await.unwrap();
    assert_eq!(world.hub.stats().subscribers, 0);
}

#[tokio::test]
async fn one_cursor_covers_two_streams() {
    let world = HubFixture::new(Limits { ring_events: 4, ..Limits::default() });
    let streams = ["canvas/c", "artifacts/c"];
    let mut first = world.follow(&streams, StartPosition::Live).await;
    let mut cursors = Vec::new();
    for n in 0..10 {
        world.append(streams[n % 2], n as u64).await;
        cursors.push(next_event(&mut first).await.0);
    }
    for (at, cursor) in cursors.iter().enumerate() {
        let mut again = world.follow(&streams, StartPosition::After(cursor.parse().unwrap())).await;
        let mut rest = Vec::new();
        for _ in at + 1..10 {
            rest.push(next_event(&mut again).await.1["data"].as_u64().unwrap());
        }
        rest.sort_unstable();
        assert_eq!(rest, (at as u64 + 1..10).collect::<Vec<_>>());
    }
    // A commit's cursor does not mention the artifacts, so none of them is skipped.
    let own = world.hub.cursor(world.context.scope(), &stream_key("canvas/c"), Seq(5));
    let mut again = world.follow(&streams, StartPosition::After(own)).await;
    assert_eq!(next_event(&mut again).await.1["routing"]["canvas_id"], "c");
}

#[tokio::test]
async fn a_slow_reader_is_served_from_the_log() {
    let world = HubFixture::new(Limits { ring_events: 8, ..Limits::default() });
    let mut slow = world.follow(&["chat/a"], StartPosition::Live).await;
    let mut fast = world.follow(&["chat/a"], StartPosition::Live).await;
    for n in 1..=200 {
        world.append("chat/a", n).await;
        assert_eq!(next_event(&mut fast).await.1["seq"], n);
    }
    for n in 1..=200 {
        assert_eq!(next_event(&mut slow).await.1["seq"], n);
    }
    assert!(world.hub.stats().fell_behind > 0);
}

#[tokio::test]
async fn trimmed_events_give_replay_miss_and_then_the_live_tail() {
    let world = HubFixture::new(Limits::default());
    for n in 1..=10 {
        world.append("canvas/c", n).await;
    }
    let cursor = |seq| world.hub.cursor(world.context.scope(), &stream_key("canvas/c"), Seq(seq));
    let trim = Batch::new(Timestamp::from_millis(1)).trim(stream_key("canvas/c"), Seq(6));
    world.store.commit(world.context.scope(), trim).await.unwrap();
    let mut kept = world.follow(&["canvas/c"], StartPosition::After(cursor(5))).await;
    assert_eq!(next_event(&mut kept).await.1["seq"], 6);
    let elsewhere = Cursor::single(LogId::from_bytes([9; 8]), world.context.scope(), &stream_key("canvas/c"), Seq(3));
    for lost in [cursor(4), cursor(99), elsewhere] {
        let mut reader = world.follow(&["canvas/c"], StartPosition::After(lost)).await;
        let (_, miss) = next_event(&mut reader).await;
        assert_eq!(miss["type"], "error");
        assert_eq!(miss["data"]["code"], "REPLAY_MISS");
        assert_eq!(miss["data"]["snapshot_ref"], "/snapshot");
        let head = miss["data"]["head_seq"].as_u64().unwrap();
        world.append("canvas/c", 0).await;
        assert_eq!(next_event(&mut reader).await.1["seq"], head + 1);
    }
    // `start` begins with the oldest stored event.
    let mut reader = world.follow(&["canvas/c"], StartPosition::Beginning).await;
    assert_eq!(next_event(&mut reader).await.1["seq"], 6);
}

#[tokio::test]
async fn a_cursor_of_another_stream_is_refused() {
    let world = HubFixture::new(Limits::default());
    let other_key = world.hub.cursor(world.context.scope(), &stream_key("chat/b"), Seq(1));
    let stranger = testing::context("t_other", "ada", Role::Member).unwrap();
    let other_tenant = world.hub.cursor(stranger.scope(), &stream_key("chat/a"), Seq(1));
    for cursor in [other_key, other_tenant] {
        let follow = SubscribeRequest {
            keys: vec![stream_key("chat/a")],
            ephemeral: None,
            start: StartPosition::After(cursor),
            snapshot_ref: None,
        };
        let error = world.hub.subscribe(world.context.scope(), follow).await.unwrap_err();
        assert_eq!(error.code(), Code::CursorInvalid);
    }
}

#[tokio::test]
async fn ephemeral_events_reach_only_channels_that_ask_and_are_dropped_first() {
    let world = HubFixture::new(Limits { ephemeral_queue: 4, ..Limits::default() });
    let follow = |ephemeral| SubscribeRequest {
        keys: vec![stream_key("canvas/c")],
        ephemeral,
        start: StartPosition::Live,
        snapshot_ref: None,
    };
    let scope = world.context.scope();
    let mut asks = world.hub.subscribe(scope, follow(Some(stream_key("canvas/c")))).await.unwrap();
    let mut other = world.hub.subscribe(scope, follow(None)).await.unwrap();
    for n in 0..20 {
        world.hub.publish(scope, &stream_key("canvas/c"), world.event(n)).await.unwrap();
        tokio::task::yield_now().await;
    }
    world.append("canvas/c", 99).await;
    let (mut ephemeral, mut durable) = (0, 0);
    while durable == 0 || ephemeral < 4 {
        let json = next_event(&mut asks).await.1;
        if json["seq"].is_null() {
            assert!(json["cursor"].is_null());
            ephemeral += 1;
        } else {
            durable += 1;
        }
    }
    assert!(ephemeral <= 20);
    assert_eq!(next_event(&mut other).await.1["data"], 99);
}

#[tokio::test]
async fn closing_ends_all_subscriptions_and_rejects_new_ones() {
    let world = HubFixture::new(Limits::default());
    let mut reader = world.follow(&["chat/a"], StartPosition::Live).await;
    let waiting = tokio::spawn(async move { reader.next().await.is_none() });
    tokio::task::yield_now().await;
    world.hub.close();
    assert!(tokio::time::timeout(Duration::from_secs(5), waiting).await.unwrap().unwrap());
    let follow = SubscribeRequest {
        keys: vec![stream_key("chat/a")],
        ephemeral: None,
        start: StartPosition::Live,
        snapshot_ref: None,
    };
    let error = world.hub.subscribe(world.context.scope(), follow).await.unwrap_err();
    assert_eq!(error.code(), Code::ShuttingDown);
}

#[tokio::test]
async fn frames_report_their_kind() {
    let world = HubFixture::new(Limits::default());
    let mut reader = world.follow(&["chat/a"], StartPosition::Live).await;
    world.append("chat/a", 1).await;
    let frame = reader.next().await.unwrap().unwrap();
    assert_eq!(frame.kind(), FrameKind::Durable { stream: 0, seq: Seq(1) });
    assert_eq!(ResourceId::new(reader.keys()[0].id()).unwrap().as_str(), "a");
}

#[tokio::test]
async fn frames_decode_to_typed_events() {
    let world = HubFixture::new(Limits::default());
    world.append("chat/a", 3).await;
    let mut reader = world.follow(&["chat/a"], StartPosition::Beginning).await;
    let frame = reader.next().await.unwrap().unwrap();
    let FollowedEvent::Other(header, data) = frame.event().unwrap() else { panic!("{frame:?}") };
    assert_eq!((&*header.event_type, header.seq, data.get()), ("note", Some(Seq(1)), "3"));
    assert_eq!(header.actor, *world.context.actor());
    assert!(header.cursor.unwrap().parse::<Cursor>().is_ok());

    let other_log = Cursor::single(LogId::from_bytes([9; 8]), world.context.scope(), &stream_key("chat/a"), Seq(1));
    let mut reader = world.follow(&["chat/a"], StartPosition::After(other_log)).await;
    let frame = reader.next().await.unwrap().unwrap();
    let FollowedEvent::ReplayMiss { head_seq, snapshot_ref } = frame.event().unwrap() else { panic!("{frame:?}") };
    assert_eq!((head_seq, snapshot_ref.as_deref()), (Seq(1), Some("/snapshot")));

    let event = NewEvent::new(
        world.ids.ulid(Timestamp::from_millis(1)),
        Timestamp::from_millis(1),
        "user_message",
        &world.context,
        to_raw_value(&0).unwrap(),
    );
    let keys = vec![stream_key("chat/a")];
    let request =
        SubscribeRequest { ephemeral: Some(keys[0].clone()), keys, start: StartPosition::Live, snapshot_ref: None };
    let mut reader = world.hub.subscribe(world.context.scope(), request).await.unwrap();
    world.hub.publish(world.context.scope(), &stream_key("chat/a"), event).await.unwrap();
    let frame = reader.next().await.unwrap().unwrap();
    // An ephemeral event may have any type and data.
    let FollowedEvent::Other(header, _) = frame.event().unwrap() else { panic!("{frame:?}") };
    assert_eq!((header.seq, header.cursor), (None, None));
}
