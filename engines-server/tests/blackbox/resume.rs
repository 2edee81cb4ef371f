//! Readers over SSE and WebSocket that are cut off repeatedly, while the server itself stops twice.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use engines::IdGenerator;
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::{client::Client, server::Server, setting};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn interrupted_readers_see_each_event_once_and_in_order() {
    let (events, cuts) = (setting("BLACKBOX_EVENTS", 2000), setting("BLACKBOX_CUTS", 20));
    let mut server = Server::start().await;
    let mut admin = server.client("admin");
    admin.insist("POST", "/chat/threads", Some(&json!({"thread_id": "t"}))).await;
    let written = Arc::new(AtomicU64::new(0));
    let writers: Vec<_> = (0..8)
        .map(|n| tokio::spawn(write(server.client(&format!("writer{n}")), n, events / 8, Arc::clone(&written))))
        .collect();
    let total = events / 8 * 8;
    let sse = tokio::spawn(read_sse(server.client("sse"), total, cuts));
    let ws = tokio::spawn(read_ws(server.client("ws"), total, cuts));
    // The server crashes once and stops orderly once.
    for stop in [false, true] {
        let goal = total / 3 * (1 + u64::from(stop));
        while written.load(Ordering::SeqCst) < goal {
            sleep(Duration::from_millis(5)).await;
        }
        if stop {
            assert!(server.stop().await);
        } else {
            server.kill();
        }
        server.restart().await;
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let patience = Duration::from_secs(60);
    let (by_sse, cut_sse) = timeout(patience, sse).await.unwrap().unwrap();
    let (by_ws, cut_ws) = timeout(patience, ws).await.unwrap().unwrap();
    assert!(cut_sse >= cuts && cut_ws >= cuts, "cut {cut_sse} and {cut_ws} times");
    assert_eq!(by_sse.len() as u64, total);
    assert_eq!(by_sse, by_ws);
}

async fn write(mut client: Client, writer: u64, count: u64, written: Arc<AtomicU64>) {
    for n in 0..count {
        let message = json!({"text": format!("{writer}-{n}"), "idempotency_key": format!("{writer}-{n}")});
        let (status, answer) = client.insist("POST", "/chat/threads/t/messages", Some(&message)).await;
        assert_eq!(status, 201, "{answer}");
        written.fetch_add(1, Ordering::SeqCst);
    }
}

/// Returns how many events to read before the next cut, so that the cuts are spread over all events on average.
fn stretch(random: &IdGenerator, total: u64, cuts: u64) -> u64 {
    let [byte] = random.bytes::<1>();
    total / (cuts + 2) * u64::from(byte) / 255
}

/// Checks an envelope against those that were read before, and keeps it.
fn keep(seen: &mut Vec<Value>, envelope: &Value, cursor: &mut Option<String>) {
    if envelope["type"] == "error" {
        assert_ne!(envelope["data"]["code"], "REPLAY_MISS", "nothing was ever gone");
        return;
    }
    assert_eq!(envelope["seq"], seen.len() as u64 + 1, "a gap or a repeat");
    *cursor = envelope["cursor"].as_str().map(str::to_owned);
    seen.push(envelope["event_id"].clone());
}

fn query(cursor: &Option<String>) -> String {
    cursor.as_ref().map_or("from=start".into(), |cursor| format!("cursor={cursor}"))
}

async fn read_sse(client: Client, total: u64, cuts: u64) -> (Vec<Value>, u64) {
    let random = IdGenerator::from_os().unwrap();
    let (mut seen, mut cursor, mut cut) = (Vec::new(), None, 0);
    while (seen.len() as u64) < total {
        let Ok(mut events) = client.events(&format!("/sse/chat/t?{}", query(&cursor))).await else {
            sleep(Duration::from_millis(20)).await;
            continue;
        };
        for _ in 0..=stretch(&random, total, cuts) {
            let Some(envelope) = events.next().await else { break };
            keep(&mut seen, &envelope, &mut cursor);
            if seen.len() as u64 == total {
                break;
            }
        }
        cut += 1;
    }
    (seen, cut)
}

async fn read_ws(client: Client, total: u64, cuts: u64) -> (Vec<Value>, u64) {
    let random = IdGenerator::from_os().unwrap();
    let (mut seen, mut cursor, mut cut) = (Vec::new(), None, 0);
    while (seen.len() as u64) < total {
        let Ok(mut socket) = client.socket(&format!("/ws/chat/t?{}", query(&cursor))).await else {
            sleep(Duration::from_millis(20)).await;
            continue;
        };
        let mut left = stretch(&random, total, cuts);
        while let Some(Ok(message)) = socket.next().await {
            let Some(text) = message.as_text() else { continue };
            let envelope: Value = serde_json::from_str(text).unwrap();
            if envelope["type"] == "hello" {
                continue;
            }
            keep(&mut seen, &envelope, &mut cursor);
            if left == 0 || seen.len() as u64 == total {
                break;
            }
            left -= 1;
        }
        cut += 1;
    }
    (seen, cut)
}
