//! Deletion of threads, canvases and events, also while they are in use.

use std::sync::Arc;

use engines::{
    Code, Engine, RequestContext, Role,
    core::{
        event::EventFilter,
        nexus::{Document, DocumentKind, DocumentQuery},
        testing::ManualClock,
    },
    prelude::*,
    stream::{
        canvas::{CanvasCommand, NewCanvas, NewGesture},
        follow::Channels,
        hub::{FrameKind, StartPosition},
    },
};
use serde_json::{Value, json};

use super::{engines, event, person};

const SNAPSHOT: DocumentKind = DocumentKind::from_static("canvas_snapshot");

async fn snapshots(engine: &Engine, context: &RequestContext) -> Vec<Document> {
    engine
        .store()
        .query(context.scope(), &DocumentQuery::of_kind(SNAPSHOT), PageRequest::first(500))
        .await
        .unwrap()
        .items
}

fn id(text: &str) -> ResourceId {
    ResourceId::new(text).unwrap()
}

fn canvas(name: &str) -> NewCanvas {
    NewCanvas { canvas_id: Some(id(name)), ..NewCanvas::default() }
}

fn thread(name: &str) -> NewThread {
    NewThread { thread_id: Some(id(name)), ..NewThread::default() }
}

#[tokio::test]
async fn threads_and_canvases_are_deleted_by_their_creators_and_admins_and_their_ids_stay_taken() {
    for (engine, _folder) in engines(&ManualClock::default()).await {
        let (ada, bob, admin) = (person("ada", Role::Member), person("bob", Role::Member), person("root", Role::Admin));
        for who in [&ada, &admin] {
            let name = format!("of-{}", who.actor().id);
            engine.chat().create_thread(&ada, thread(&name)).await.unwrap();
            engine.canvas().create(&ada, canvas(&name)).await.unwrap();
            let large = "x".repeat(100_000);
            for n in 0..3 {
                let ops = json!([{ "op": "add", "path": format!("/k{n}"), "value": large }]);
                engine.canvas().command(&ada, &id(&name), CanvasCommand::new(n, &ops).unwrap()).await.unwrap();
                engine.chat().post(&ada, &id(&name), NewMessage::text("hello")).await.unwrap();
            }
            assert_eq!(engine.chat().delete(&bob, &id(&name)).await.unwrap_err().code(), Code::RoleInsufficient);
            let refused = engine.canvas().delete(&bob, &id(&name)).await.unwrap_err();
            assert_eq!(refused.code(), Code::RoleInsufficient);
            assert!(refused.members().contains_key("decision_id"));
            engine.chat().delete(who, &id(&name)).await.unwrap();
            engine.canvas().delete(who, &id(&name)).await.unwrap();

            let gone = [
                engine.chat().thread(&ada, &id(&name)).await.map(drop),
                engine.chat().post(&ada, &id(&name), NewMessage::text("hello")).await.map(drop),
                engine.chat().events(&ada, &id(&name), None, 5).await.map(drop),
                engine.chat().delete(who, &id(&name)).await,
                engine.canvas().get(&ada, &id(&name)).await.map(drop),
                engine.canvas().snapshot(&ada, &id(&name), None).await.map(drop),
                engine.canvas().commits(&ada, &id(&name), 0, 5).await.map(drop),
                engine
                    .canvas()
                    .command(
                        &ada,
                        &id(&name),
                        CanvasCommand::new(3, &json!([{ "op": "add", "path": "/z", "value": 1 }])).unwrap(),
                    )
                    .await
                    .map(drop),
                engine
                    .canvas()
                    .gesture(
                        &ada,
                        &id(&name),
                        NewGesture {
                            kind: "point".into(),
                            data: Value::Null,
                            routing: Default::default(),
                            claims: Default::default(),
                        },
                    )
                    .await,
                engine.canvas().delete(who, &id(&name)).await,
            ];
            for (n, answer) in gone.into_iter().enumerate() {
                assert_eq!(answer.unwrap_err().code(), Code::NotFound, "call {n}");
            }
            assert_eq!(engine.chat().create_thread(&ada, thread(&name)).await.unwrap_err().code(), Code::AlreadyExists);
            assert_eq!(engine.canvas().create(&ada, canvas(&name)).await.unwrap_err().code(), Code::AlreadyExists);
        }
        assert_eq!(engine.apply_retention().await.unwrap().failed, 0);
        assert_eq!(snapshots(&engine, &ada).await.len(), 0);
        engine.shutdown().await;
    }
}

#[tokio::test]
async fn followers_of_what_is_deleted_get_a_last_error_and_are_not_let_in_again() {
    for (engine, _folder) in engines(&ManualClock::default()).await {
        let ada = person("ada", Role::Member);
        engine.chat().create_thread(&ada, thread("t")).await.unwrap();
        engine.canvas().create(&ada, canvas("c")).await.unwrap();
        let live = Channels { log: false, artifacts: false, ephemeral: true };
        let mut followers = Vec::new();
        for (key, channels) in [
            ("chat/t", Channels::default()),
            ("canvas/c", Channels::default()),
            ("canvas/c", live),
            ("artifacts/c", Channels::default()),
        ] {
            let key: StreamKey = key.parse().unwrap();
            followers
                .push((key.clone(), engine.follow().open(&ada, &key, channels, StartPosition::Live).await.unwrap()));
        }
        engine.chat().delete(&ada, &id("t")).await.unwrap();
        engine.canvas().delete(&ada, &id("c")).await.unwrap();
        for (key, follower) in &mut followers {
            let last = follower.next().await.unwrap().unwrap();
            assert_eq!(last.kind(), FrameKind::Deleted, "{key}");
            let last: Value = serde_json::from_slice(&last.json()).unwrap();
            assert_eq!((last["type"].as_str(), last["data"]["code"].as_str()), (Some("error"), Some("NOT_FOUND")));
            assert_eq!((&last["data"]["final"], last["stream"].is_string()), (&json!(true), true));
            assert!(follower.next().await.is_none());
            let again = engine.follow().open(&ada, key, Channels::default(), StartPosition::Live).await;
            assert_eq!(again.unwrap_err().code(), Code::NotFound);
        }
        engine.shutdown().await;
    }
}

/// Messages, commands and followers during a deletion: each is acknowledged and then deleted, or gets `NOT_FOUND`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_concurrent_with_a_deletion_succeeds_before_it_or_is_not_found() {
    for (engine, _folder) in engines(&ManualClock::default()).await {
        let engine = Arc::new(engine);
        let ada = person("ada", Role::Member);
        for round in 0..8 {
            let name = format!("r{round}");
            engine.chat().create_thread(&ada, thread(&name)).await.unwrap();
            engine.canvas().create(&ada, canvas(&name)).await.unwrap();
            let mut tasks = tokio::task::JoinSet::new();
            for writer in 0..6_u64 {
                let (engine, ada, name) = (Arc::clone(&engine), ada.clone(), id(&name));
                tasks.spawn(async move {
                    for n in 0..30_u64 {
                        let large = "y".repeat(8000);
                        let mut message = NewMessage::text(&large);
                        message.idempotency_key = Some(format!("m{writer}.{n}"));
                        let ops = json!([{ "op": "add", "path": format!("/w{writer}x{n}"), "value": large }]);
                        let mut command = CanvasCommand::new(0, &ops).unwrap();
                        command.on_conflict = engines::stream::canvas::OnConflict::Rebase;
                        command.idempotency_key = Some(format!("c{writer}.{n}"));
                        let (post, edit) = tokio::join!(
                            engine.chat().post(&ada, &name, message),
                            engine.canvas().command(&ada, &name, command),
                        );
                        for refusal in [post.err(), edit.err()].into_iter().flatten() {
                            assert_eq!(refusal.code(), Code::NotFound, "{refusal}");
                        }
                        let key = StreamKey::chat(&name);
                        if let Ok(mut follower) =
                            engine.follow().open(&ada, &key, Channels::default(), StartPosition::Beginning).await
                        {
                            // It gets either a message of this thread or the final error.
                            follower.next().await.unwrap().unwrap();
                        }
                    }
                });
            }
            tokio::time::sleep(std::time::Duration::from_millis(3 * round)).await;
            engine.chat().delete(&ada, &id(&name)).await.unwrap();
            engine.canvas().delete(&ada, &id(&name)).await.unwrap();
            while let Some(done) = tasks.join_next().await {
                done.unwrap();
            }
            for key in [StreamKey::chat(&id(&name)), StreamKey::canvas(&id(&name))] {
                let head = engine.store().head(ada.scope(), &key).await.unwrap();
                assert!(head.deleted);
                assert!(engine.store().read(ada.scope(), &key, Default::default(), 10).await.unwrap().is_empty());
            }
            engine.apply_retention().await.unwrap();
            assert!(snapshots(&engine, &ada).await.is_empty(), "a snapshot was left behind");
        }
        engine.shutdown().await;
    }
}

#[tokio::test]
async fn only_admins_can_delete_events_by_filter() {
    for (engine, _folder) in engines(&ManualClock::default()).await {
        let (admin, member) = (person("ada", Role::Admin), person("bob", Role::Member));
        for n in 0..10 {
            let mut new = event(n);
            new.surface = ["desk", "phone"][n as usize % 2].into();
            engine.events().record(&admin, new).await.unwrap();
        }
        let phone = EventFilter { surface: Some("phone".into()), ..EventFilter::default() };
        assert_eq!(engine.events().delete(&member, &phone).await.unwrap_err().code(), Code::RoleInsufficient);
        assert_eq!(engine.events().delete(&admin, &phone).await.unwrap(), 5);
        let left = engine.events().list(&admin, &EventFilter::default(), PageRequest::first(50)).await.unwrap().items;
        assert!(left.len() == 5 && left.iter().all(|event| event.surface == "desk"));
        assert_eq!(engine.events().delete(&admin, &EventFilter::default()).await.unwrap(), 5);
        let filter = engines::core::audit::AuditFilter { action: Some("event.delete".into()), ..Default::default() };
        assert_eq!(engine.audit().entries(&admin, &filter, PageRequest::first(9)).await.unwrap().items.len(), 2);
        engine.shutdown().await;
    }
}
