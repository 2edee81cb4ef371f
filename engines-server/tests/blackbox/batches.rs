//! `kill -9` during batches of dataset events: every line that was acknowledged is stored exactly once.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{client::Client, server::Server, setting};

/// Lines of one batch, which are a few groups.
const LINES: u64 = 600;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_batch_acknowledged_survives_kill_9() {
    let kills = setting("BLACKBOX_KILLS", 5);
    let mut server = Server::start().await;
    let mut admin = server.client("admin");
    let over = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> =
        (0..3).map(|n| tokio::spawn(upload(server.client(&format!("writer{n}")), n, Arc::clone(&over)))).collect();
    let random = engines::IdGenerator::from_os().unwrap();
    for _ in 0..kills {
        let [pause] = random.bytes::<1>();
        sleep(Duration::from_millis(60 + u64::from(pause) * 2)).await;
        server.kill();
        server.restart().await;
    }
    sleep(Duration::from_millis(200)).await;
    over.store(true, Ordering::SeqCst);
    let mut acknowledged = HashMap::new();
    for writer in writers {
        acknowledged.extend(writer.await.unwrap());
    }
    assert!(acknowledged.len() as u64 >= LINES, "{}", acknowledged.len());

    let (mut seen, mut after, mut place) = (HashMap::new(), String::new(), 0);
    loop {
        let (status, page) = admin.insist("GET", &format!("/events?limit=500{after}"), None).await;
        assert_eq!(status, 200, "{page}");
        for event in page["items"].as_array().unwrap() {
            place += 1;
            assert_eq!(event["seq"], place, "a hole in the log");
            let name = event["input"]["name"].as_str().unwrap().to_owned();
            assert!(seen.insert(name.clone(), event["event_id"].clone()).is_none(), "{name} is there twice");
        }
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    for (name, event_id) in acknowledged {
        assert_eq!(seen.get(&name), Some(&event_id), "{name}");
    }
}

/// Sends each batch repeatedly until all its lines are durable. Returns the id of each event by its name.
async fn upload(mut client: Client, writer: u64, over: Arc<AtomicBool>) -> HashMap<String, Value> {
    let mut acknowledged = HashMap::new();
    for batch in 0_u64.. {
        if over.load(Ordering::SeqCst) {
            break;
        }
        let names: Vec<_> = (0..LINES).map(|line| format!("w{writer}-{batch}-{line}")).collect();
        let event = |name: &String| json!({"surface": "s", "agent_id": "a", "input": {"name": name}, "output": {}, "idempotency_key": name});
        let body: String = names.iter().map(|name| format!("{}\n", event(name))).collect();
        loop {
            let Ok((status, answer)) = client.send_lines("/events/batch", &body).await else {
                sleep(Duration::from_millis(10)).await;
                continue;
            };
            if status == 503 {
                sleep(Duration::from_millis(10)).await;
                continue;
            }
            assert_eq!(status, 200, "{answer}");
            let items = answer["items"].as_array().unwrap();
            assert_eq!(items.len(), names.len());
            let mut all = true;
            for (name, item) in names.iter().zip(items) {
                all &= item["status"] == "accepted";
                if item["status"] == "accepted" {
                    let known = acknowledged.insert(name.clone(), item["event_id"].clone());
                    assert!(known.is_none_or(|known| known == item["event_id"]), "{name} changed its id");
                }
            }
            if all {
                break;
            }
        }
    }
    acknowledged
}
