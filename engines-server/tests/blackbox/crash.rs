//! `kill -9` at random moments: acknowledged writes are stored once, in order and without gaps.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use engines::core::command::{CommandLimits, JsonReducer, SizedDocument, apply_batch, parse_ops_value, state_hash};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{client::Client, server::Server, setting};

/// The acknowledged writes of one writer: the key and the position of each.
pub(crate) type Acknowledged = Vec<(String, u64, String)>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_kill_9() {
    let kills = setting("BLACKBOX_KILLS", 5);
    let mut server = Server::start().await;
    let mut admin = server.client("admin");
    let over = Arc::new(AtomicBool::new(false));
    let mut canvases = Vec::new();
    for n in 0..4 {
        let id = format!("c{}", n % 3);
        admin.insist("POST", "/canvas", Some(&json!({"canvas_id": id}))).await;
        // Two of the writers edit the same canvas.
        canvases.push((id.clone(), tokio::spawn(edit(server.client(&format!("editor{n}")), id, n, Arc::clone(&over)))));
    }
    admin.insist("POST", "/chat/threads", Some(&json!({"thread_id": "t"}))).await;
    let talkers: Vec<_> =
        (0..4).map(|n| tokio::spawn(talk(server.client(&format!("talker{n}")), n, Arc::clone(&over)))).collect();

    let random = engines::IdGenerator::from_os().unwrap();
    for _ in 0..kills {
        let [pause] = random.bytes::<1>();
        sleep(Duration::from_millis(100 + u64::from(pause) * 2)).await;
        server.kill();
        server.restart().await;
    }
    sleep(Duration::from_millis(200)).await;
    over.store(true, Ordering::SeqCst);

    let mut acknowledged: HashMap<String, Acknowledged> = HashMap::new();
    for (id, writer) in canvases {
        acknowledged.entry(id).or_default().extend(writer.await.unwrap());
    }
    for (id, acknowledged) in acknowledged {
        check_canvas(&mut admin, &id, acknowledged).await;
    }
    let mut said = Vec::new();
    for talker in talkers {
        let own = talker.await.unwrap();
        assert!(own.is_sorted_by_key(|(_, seq, _)| *seq), "a writer's messages changed places");
        said.extend(own);
    }
    check_thread(&mut admin, said).await;
    assert!(server.stop().await, "the server did not end well");
}

/// Edits a canvas until it is stopped. Each command is repeated under its key until there is a response.
pub(crate) async fn edit(mut client: Client, id: String, writer: u64, over: Arc<AtomicBool>) -> Acknowledged {
    let (mut head, mut acknowledged) = (0, Vec::new());
    for n in 0_u64.. {
        if over.load(Ordering::SeqCst) {
            break;
        }
        let key = format!("w{writer}-{n}");
        loop {
            let ops = json!([{"op": "add", "path": format!("/{key}"), "value": n}]);
            // Another base changes the body, so the key must be another one.
            let once = format!("{key}-{head}");
            let command = json!({"v": 1, "command_id": key, "idempotency_key": once, "base_rev": head, "ops": ops});
            let (status, answer) = client.insist("POST", &format!("/canvas/{id}/commands"), Some(&command)).await;
            match status {
                200 => {
                    head = answer["head_rev"].as_u64().unwrap();
                    let event_id = answer["event_id"].as_str().unwrap().to_owned();
                    acknowledged.push((key, answer["rev"].as_u64().unwrap(), event_id));
                    break;
                }
                409 => head = answer["head_rev"].as_u64().unwrap(),
                _ => panic!("{status} {answer}"),
            }
        }
    }
    acknowledged
}

pub(crate) async fn talk(mut client: Client, writer: u64, over: Arc<AtomicBool>) -> Acknowledged {
    let mut acknowledged = Vec::new();
    for n in 0_u64.. {
        if over.load(Ordering::SeqCst) {
            break;
        }
        let key = format!("w{writer}-{n}");
        let message = json!({"text": key, "idempotency_key": key});
        let (status, answer) = client.insist("POST", "/chat/threads/t/messages", Some(&message)).await;
        assert_eq!(status, 201, "{answer}");
        let event_id = answer["event_id"].as_str().unwrap().to_owned();
        acknowledged.push((key, answer["seq"].as_u64().unwrap(), event_id));
    }
    acknowledged
}

pub(crate) async fn check_canvas(client: &mut Client, id: &str, acknowledged: Acknowledged) {
    let mut commits = Vec::new();
    loop {
        let path = format!("/canvas/{id}/commits?after_rev={}&limit=500", commits.len());
        let (status, page) = client.insist("GET", &path, None).await;
        assert_eq!(status, 200, "{page}");
        let items = page["items"].as_array().unwrap();
        if items.is_empty() {
            break;
        }
        commits.extend(items.iter().cloned());
    }
    let mut state = SizedDocument::new(json!({})).unwrap();
    let mut by_command: HashMap<&str, u64> = HashMap::new();
    for (at, commit) in commits.iter().enumerate() {
        assert_eq!(commit["rev"], at as u64 + 1, "a hole in the revisions");
        let seen = by_command.entry(commit["command_id"].as_str().unwrap()).or_default();
        *seen += 1;
        assert_eq!(*seen, 1, "{} was applied twice", commit["command_id"]);
        let ops = parse_ops_value(&commit["ops"]).unwrap();
        apply_batch(&JsonReducer, &mut state, &ops, &CommandLimits::for_replay()).unwrap();
    }
    assert!(!acknowledged.is_empty());
    for (key, rev, event_id) in acknowledged {
        let commit = &commits[usize::try_from(rev).unwrap() - 1];
        assert_eq!((&commit["command_id"], &commit["event_id"]), (&json!(key), &json!(event_id)), "at {rev}");
    }
    let (_, snapshot) = client.insist("GET", &format!("/canvas/{id}/snapshot"), None).await;
    assert_eq!(snapshot["rev"], commits.len() as u64);
    assert_eq!(snapshot["state_hash"], state_hash(state.value()));
}

pub(crate) async fn check_thread(client: &mut Client, acknowledged: Acknowledged) {
    let mut events: Vec<Value> = Vec::new();
    let mut after = String::new();
    loop {
        let (status, page) = client.insist("GET", &format!("/chat/threads/t/events?limit=500{after}"), None).await;
        assert_eq!(status, 200, "{page}");
        events.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    let mut texts = HashMap::new();
    for (at, event) in events.iter().enumerate() {
        assert_eq!(event["seq"], at as u64 + 1, "a hole in the thread");
        assert!(texts.insert(event["data"]["text"].as_str().unwrap(), at).is_none(), "said twice");
    }
    assert!(!acknowledged.is_empty());
    for (key, seq, event_id) in acknowledged {
        let event = &events[usize::try_from(seq).unwrap() - 1];
        assert_eq!((&event["data"]["text"], &event["event_id"]), (&json!(key), &json!(event_id)), "at {seq}");
    }
}
