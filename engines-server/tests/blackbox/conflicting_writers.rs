//! Sixty-four clients edit from one base revision. One succeeds, the others get the data that they need to retry, and
//! all succeed in the end.

use serde_json::json;
use tokio::task::JoinSet;

use crate::server::Server;

const CLIENTS: u64 = 64;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_conflicting_writers_one_commits_first_and_all_succeed_in_the_end() {
    let server = Server::start().await;
    let mut admin = server.client("admin");
    admin.insist("POST", "/canvas", Some(&json!({"canvas_id": "c"}))).await;
    let start = json!({"v": 1, "base_rev": 0, "ops": [{"op": "add", "path": "/list", "value": []}]});
    assert_eq!(admin.insist("POST", "/canvas/c/commands", Some(&start)).await.0, 200);

    let barrier = std::sync::Arc::new(tokio::sync::Barrier::new(usize::try_from(CLIENTS).unwrap()));
    let token = server.token("racer", "member");
    let mut racers = JoinSet::new();
    for n in 0..CLIENTS {
        let mut client = crate::client::Client::new(server.addr.clone(), token.clone());
        let barrier = std::sync::Arc::clone(&barrier);
        racers.spawn(async move {
            client.insist("GET", "/canvas/c", None).await;
            barrier.wait().await;
            let (mut base, mut first) = (1_u64, None);
            loop {
                let ops = json!([{"op": "add", "path": "/list/-", "value": n}]);
                let command = json!({"v": 1, "base_rev": base, "ops": ops});
                let (status, answer) = client.insist("POST", "/canvas/c/commands", Some(&command)).await;
                first.get_or_insert(status);
                if status == 200 {
                    return (first, answer["rev"].as_u64().unwrap());
                }
                assert_eq!((status, &answer["code"]), (409, &json!("REV_MISMATCH")), "{answer}");
                let head = answer["head_rev"].as_u64().unwrap();
                assert_eq!(answer["base_rev"], base);
                let since = answer["ops_since_base"].as_array().unwrap();
                assert_eq!(since.len() as u64, head - base);
                assert!(since.iter().zip(base + 1..).all(|(commit, rev)| commit["rev"] == rev));
                assert!(answer["snapshot_ref"].as_str().is_some_and(|path| path.starts_with("/canvas/c/snapshot")));
                base = head;
            }
        });
    }
    let finished = racers.join_all().await;
    assert_eq!(finished.iter().filter(|(first, _)| *first == Some(200)).count(), 1);
    let mut revs: Vec<_> = finished.iter().map(|(_, rev)| *rev).collect();
    revs.sort_unstable();
    assert_eq!(revs, (2..CLIENTS + 2).collect::<Vec<_>>());
    let (_, snapshot) = admin.insist("GET", "/canvas/c/snapshot", None).await;
    let mut list: Vec<_> = snapshot["state"]["list"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect();
    list.sort_unstable();
    assert_eq!(list, (0..CLIENTS).collect::<Vec<_>>());
}
