//! Policies, and what the worker removes by them.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use engines::{
    Code, Role, Scope,
    core::{
        audit::AuditFilter,
        event::{CleanEvent, EventFilter},
        nexus::{EventSink, PageRequest, SinkError},
        testing::ManualClock,
    },
    prelude::*,
    storage::retention::{NewRetentionPolicy, RetentionPolicy},
    stream::{
        canvas::{CanvasCommand, NewCanvas},
        follow::Channels,
        hub::StartPosition,
    },
};
use serde_json::json;

use super::{DAY, builder, days, engines, event, new, person};

#[tokio::test]
async fn only_admins_can_set_a_policy_and_it_is_versioned_and_audited() {
    for (engine, _folder) in engines(&ManualClock::default()).await {
        let (admin, member) = (person("ada", Role::Admin), person("bob", Role::Member));
        let retention = engine.retention();
        assert_eq!(retention.policy(&member).await.unwrap_err().code(), Code::RoleInsufficient);
        let begun = retention.policy(&admin).await.unwrap();
        assert_eq!((begun.version, begun.policy), (0, RetentionPolicy::default()));
        let policy = RetentionPolicy { events_s: Some(DAY), audit_s: Some(400 * DAY), ..RetentionPolicy::default() };
        assert_eq!(retention.set_policy(&member, new(policy)).await.unwrap_err().code(), Code::RoleInsufficient);
        assert_eq!(retention.set_policy(&admin, new(policy)).await.unwrap().version, 1);
        assert_eq!(retention.policy(&admin).await.unwrap().policy, policy);
        // The policy is replaced as a whole: a kind that is not named is kept for ever.
        let other = RetentionPolicy { messages_s: Some(5), ..RetentionPolicy::default() };
        let stale = NewRetentionPolicy { version: Some(0), policy: other };
        let refused = retention.set_policy(&admin, stale).await.unwrap_err();
        assert_eq!((refused.code(), refused.members()["version"].as_u64()), (Code::VersionMismatch, Some(1)));
        retention.set_policy(&admin, new(other)).await.unwrap();
        assert_eq!(retention.policy(&admin).await.unwrap().policy, other);
        for (bad, minimum) in [
            (RetentionPolicy { audit_s: Some(300 * DAY), ..RetentionPolicy::default() }, 365 * DAY),
            (RetentionPolicy { receipts_s: Some(3600), ..RetentionPolicy::default() }, DAY),
            (RetentionPolicy { events_s: Some(0), ..RetentionPolicy::default() }, 1),
        ] {
            let refused = retention.set_policy(&admin, new(bad)).await.unwrap_err();
            assert_eq!((refused.code(), refused.members()["minimum_s"].as_u64()), (Code::BodyInvalid, Some(minimum)));
        }
        let filter = AuditFilter { action: Some("retention.manage".into()), ..AuditFilter::default() };
        let entries = engine.audit().entries(&admin, &filter, PageRequest::first(10)).await.unwrap().items;
        assert_eq!(entries.iter().map(|entry| &*entry.resource).collect::<Vec<_>>(), ["retention/1", "retention/2"]);
        assert_eq!(
            engine.audit().entries(&member, &filter, PageRequest::first(10)).await.unwrap_err().code(),
            Code::RoleInsufficient
        );
        engine.shutdown().await;
    }
}

#[tokio::test]
async fn expired_data_of_every_kind_is_removed() {
    let clock = ManualClock::default();
    for (engine, _folder) in engines(&clock).await {
        let (admin, other) =
            (person("ada", Role::Admin), engines::core::testing::context("t_other", "eve", Role::Admin).unwrap());
        let mut canvases = Vec::new();
        for context in [&admin, &other] {
            let thread = NewThread { thread_id: Some(ResourceId::new("t1").unwrap()), ..NewThread::default() };
            engine.chat().create_thread(context, thread).await.unwrap();
            canvases.push(engine.canvas().create(context, NewCanvas::default()).await.unwrap().canvas_id);
        }
        let thread = ResourceId::new("t1").unwrap();
        for n in 0..10_u64 {
            for (context, canvas) in [&admin, &other].into_iter().zip(&canvases) {
                let mut message = NewMessage::text(format!("message {n}"));
                message.idempotency_key = Some(format!("k{n}"));
                engine.chat().post(context, &thread, message).await.unwrap();
                let ops = json!([{ "op": "add", "path": format!("/k{n}"), "value": n }]);
                engine.canvas().command(context, canvas, CanvasCommand::new(n, &ops).unwrap()).await.unwrap();
                engine.events().record(context, event(n)).await.unwrap();
            }
            clock.advance(days(1));
        }
        let whole = engine.canvas().snapshot(&admin, &canvases[0], None).await.unwrap();
        let middle = engine.canvas().snapshot(&admin, &canvases[0], Some(7)).await.unwrap();
        // It is day 10: data of day 6 or before is older than 3.5 days.
        let kept = Some(3 * DAY + DAY / 2);
        let policy = RetentionPolicy {
            messages_s: kept,
            commits_s: kept,
            events_s: kept,
            receipts_s: kept,
            audit_s: Some(365 * DAY),
        };
        engine.retention().set_policy(&admin, new(policy)).await.unwrap();
        let cursor = engine.chat().events(&admin, &thread, None, 1).await.unwrap().items[0].cursor.to_string();
        let pass = engine.apply_retention().await.unwrap();
        assert_eq!((pass.failed, pass.removed), (0, 4 * 7));
        // A second pass has nothing to do.
        assert_eq!(engine.apply_retention().await.unwrap().removed, 0);

        let page = engine.chat().events(&admin, &thread, None, 50).await.unwrap();
        assert_eq!(page.items.iter().map(|item| item.event.seq.0).collect::<Vec<_>>(), [8, 9, 10]);
        assert_eq!(
            engine.chat().events(&admin, &thread, Some(&cursor), 50).await.unwrap_err().code(),
            Code::ReplayMiss
        );
        let key = StreamKey::chat(&thread);
        let mut follower = engine
            .follow()
            .open(&admin, &key, Channels::default(), StartPosition::After(cursor.parse().unwrap()))
            .await
            .unwrap();
        let first = String::from_utf8(follower.next().await.unwrap().unwrap().json().to_vec()).unwrap();
        assert!(first.contains("REPLAY_MISS") && first.contains("\"head_seq\":10"), "{first}");

        let canvas = &canvases[0];
        assert_eq!(engine.canvas().snapshot(&admin, canvas, None).await.unwrap(), whole);
        assert_eq!(engine.canvas().snapshot(&admin, canvas, Some(7)).await.unwrap(), middle);
        assert_eq!(engine.canvas().snapshot(&admin, canvas, Some(6)).await.unwrap_err().code(), Code::NotFound);
        let commits = engine.canvas().commits(&admin, canvas, 0, 50).await.unwrap().items;
        assert_eq!(commits.iter().map(|commit| commit.rev).collect::<Vec<_>>(), [8, 9, 10]);
        assert_eq!(engine.canvas().commits(&admin, canvas, 3, 50).await.unwrap_err().code(), Code::ReplayMiss);
        let replay = engine.canvas().replay(&admin, canvas, None, None).await.unwrap();
        assert_eq!((replay.from_rev, replay.to_rev), (7, 10));
        let ops = json!([{ "op": "add", "path": "/later", "value": 1 }]);
        assert_eq!(
            engine.canvas().command(&admin, canvas, CanvasCommand::new(10, &ops).unwrap()).await.unwrap().rev,
            11
        );

        let listed = engine.events().list(&admin, &EventFilter::default(), PageRequest::first(50)).await.unwrap().items;
        assert_eq!(listed.iter().map(|event| event.seq.0).collect::<Vec<_>>(), [8, 9, 10]);
        // A key whose receipt was removed takes effect again; one whose receipt is kept does not.
        for (n, again) in [(9, true), (2, false)] {
            let mut message = NewMessage::text(format!("message {n}"));
            message.idempotency_key = Some(format!("k{n}"));
            assert_eq!(engine.chat().post(&admin, &thread, message).await.unwrap().replayed, again);
        }
        // The other tenant has no policy and keeps everything.
        assert_eq!(engine.chat().events(&other, &thread, None, 50).await.unwrap().items.len(), 10);
        assert_eq!(engine.canvas().commits(&other, &canvases[1], 0, 50).await.unwrap().items.len(), 10);
        assert_eq!(
            engine.events().list(&other, &EventFilter::default(), PageRequest::first(50)).await.unwrap().items.len(),
            10
        );
        // The audit log has the number and the reason of the removals.
        let filter = AuditFilter { action: Some("retention.apply".into()), ..AuditFilter::default() };
        let entries = engine.audit().entries(&admin, &filter, PageRequest::first(50)).await.unwrap().items;
        let told: Vec<_> = entries.iter().map(|entry| (&*entry.resource, entry.reason.as_deref().unwrap())).collect();
        let names = ["messages", "commits", "events", "receipts"];
        assert_eq!(
            told.iter().map(|(resource, _)| *resource).collect::<Vec<_>>(),
            names.map(|name| format!("retention/{name}"))
        );
        assert!(told.iter().all(|(_, reason)| reason.starts_with("retention: 7 ")), "{told:?}");

        // Audit records are removed once they are older than the policy's year, and the newest one stays.
        let records =
            engine.audit().entries(&admin, &AuditFilter::default(), PageRequest::first(500)).await.unwrap().items.len();
        clock.advance(days(354));
        engine.apply_retention().await.unwrap();
        let audit =
            async || engine.audit().entries(&admin, &AuditFilter::default(), PageRequest::first(500)).await.unwrap();
        assert!(audit().await.items.len() >= records, "records of less than a year are gone");
        clock.advance(days(30));
        engine.apply_retention().await.unwrap();
        let left = audit().await.items;
        assert!(left.iter().all(|entry| &*entry.action == "retention.apply"), "{left:?}");
        engine.shutdown().await;
    }
}

/// A sink that accepts events once it is allowed to.
#[derive(Debug, Clone, Default)]
struct GatedSink(Arc<Mutex<(bool, Vec<u64>)>>);

#[async_trait]
impl EventSink for GatedSink {
    fn name(&self) -> &str {
        "slow"
    }

    async fn write(&self, _: &Scope, batch: &[CleanEvent]) -> Result<(), SinkError> {
        let mut state = self.0.lock().unwrap();
        if !state.0 {
            return Err(SinkError::Retry(engines::Error::unavailable("slow", std::io::Error::other("not yet"))));
        }
        state.1.extend(batch.iter().map(|event| {
            serde_json::from_str::<serde_json::Value>(event.body().get()).unwrap()["input"]["n"].as_u64().unwrap()
        }));
        Ok(())
    }
}

#[tokio::test]
async fn undelivered_events_are_kept_for_their_sink() {
    let clock = ManualClock::default();
    let sink = GatedSink::default();
    let outbox = engines::storage::outbox::OutboxSettings {
        poll_interval: std::time::Duration::from_millis(5),
        ..Default::default()
    };
    let engine = builder(&clock).memory().sink(sink.clone()).outbox(outbox).build().await.unwrap();
    let admin = person("ada", Role::Admin);
    let policy = RetentionPolicy { events_s: Some(DAY), ..RetentionPolicy::default() };
    engine.retention().set_policy(&admin, new(policy)).await.unwrap();
    for n in 0..5 {
        engine.events().record(&admin, event(n)).await.unwrap();
    }
    clock.advance(days(2));
    assert_eq!(engine.apply_retention().await.unwrap().removed, 0);
    sink.0.lock().unwrap().0 = true;
    while engine.sinks()[0].delivered < 5 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    // The outbox stores its position directly after the delivery.
    let mut removed = 0;
    while removed < 5 {
        removed += engine.apply_retention().await.unwrap().removed;
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(sink.0.lock().unwrap().1, [0, 1, 2, 3, 4]);
    assert!(
        engine.events().list(&admin, &EventFilter::default(), PageRequest::first(5)).await.unwrap().items.is_empty()
    );
    engine.shutdown().await;
}
