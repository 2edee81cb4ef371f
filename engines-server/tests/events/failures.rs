//! The state that a failing store leaves, and the errors that callers get.

use std::{sync::Arc, time::Duration};

use engines::{
    Engine, IdGenerator, Limits,
    storage::{
        MemoryStore, Operation,
        fault_injection::{Fault, Faults, Faulty},
    },
};
use engines_server::App;
use serde_json::{Value, json};

use crate::{
    fixture::{batch, event, exported, lines, listed, member, results},
    support::{self, Server, serve},
};

/// Starts a server on a store that fails on demand, and that writes ten lines at a time.
async fn fragile() -> (Server, Faults) {
    let store = Faulty::new(Arc::new(MemoryStore::new(&IdGenerator::seeded(7))));
    let faults = store.faults().clone();
    let limits = Limits { batch_group: 10, ..Limits::default() };
    let engine = Engine::builder().store(Arc::new(store)).limits(limits).signing_secret(support::secret());
    (serve(App::new(engine.build().await.unwrap()).unwrap()).await, faults)
}

fn many(count: usize) -> Vec<Value> {
    (0..count).map(|n| event("s", &format!("number {n}"))).collect()
}

#[tokio::test]
async fn lines_before_a_failure_are_stored_and_later_ones_report_the_failure() {
    let (server, faults) = fragile().await;
    faults.inject(Operation::Commit, 3, Fault::BeforeEffect);
    let told = results(&batch(&server, &member(), &lines(&many(100))).await);
    assert_eq!(told.len(), 100);
    let accepted: Vec<_> = told
        .iter()
        .filter(|result| result["status"] == "accepted")
        .map(|result| result["line"].as_u64().unwrap())
        .collect();
    assert_eq!(accepted[..20], (1..=20).collect::<Vec<_>>());
    assert!(accepted.len() < 100 && !accepted.contains(&21));
    for result in told.iter().filter(|result| result["status"] == "rejected") {
        assert_eq!(result["code"], "BACKEND_UNAVAILABLE");
    }
    let all = listed(&server, "").await;
    assert_eq!(all.len(), accepted.len());
    for (event, line) in all.iter().zip(accepted) {
        assert_eq!(event["input"]["text"], format!("number {}", line - 1));
    }
}

#[tokio::test]
async fn a_failure_without_anything_accepted_is_503() {
    let (server, faults) = fragile().await;
    for operation in [Operation::Commit, Operation::Get] {
        faults.set_for_all(operation, Some(Fault::BeforeEffect));
        let answer = batch(&server, &member(), &lines(&many(30))).await;
        assert_eq!((answer.status, answer.code().as_str()), (503, "BACKEND_UNAVAILABLE"), "{operation:?}");
        assert!(answer.header("retry-after").is_some());
        let one = support::acme(server.address, &member(), "POST", "/events", Some(&event("s", "x"))).await;
        assert_eq!(one.status, 503, "{operation:?}");
        faults.set_for_all(operation, None);
        // The cached policy of the tenant may be some seconds old. Events that failed are not stored.
        assert_eq!(listed(&server, "").await, Vec::<Value>::new());
    }
}

#[tokio::test]
async fn a_retry_with_the_same_key_returns_the_lost_response() {
    let (server, faults) = fragile().await;
    let keyed: Vec<_> = (0..30)
        .map(|n| json!({ "surface": "s", "agent_id": "a", "input": { "n": n }, "output": {}, "idempotency_key": format!("k{n}") }))
        .collect();
    faults.inject(Operation::Commit, 2, Fault::AfterEffect);
    let first = results(&batch(&server, &member(), &lines(&keyed)).await);
    assert!(first.iter().any(|result| result["code"] == "OUTCOME_UNKNOWN"));
    let again = results(&batch(&server, &member(), &lines(&keyed)).await);
    assert!(again.iter().all(|result| result["status"] == "accepted"));
    let replayed = |from: usize, to: usize| again[from..to].iter().all(|result| result["replayed"] == true);
    assert!(replayed(0, 10) && replayed(10, 20));
    let numbers: Vec<_> = listed(&server, "").await.iter().map(|event| event["input"]["n"].as_u64().unwrap()).collect();
    assert_eq!(numbers.len(), 30);
    assert_eq!(numbers.iter().collect::<std::collections::BTreeSet<_>>().len(), 30);
}

#[tokio::test]
async fn a_failed_export_is_not_terminated_as_complete() {
    let (server, faults) = fragile().await;
    assert_eq!(results(&batch(&server, &member(), &lines(&many(450))).await).len(), 450);
    assert_eq!(exported(&server, "").await.unwrap().len(), 450);
    faults.inject(Operation::Events, 3, Fault::BeforeEffect);
    assert_eq!(exported(&server, "").await, None);
    // An error before the first line is returned as a problem document.
    faults.inject(Operation::Events, 1, Fault::BeforeEffect);
    let admin = crate::fixture::admin();
    let answer = support::acme(server.address, &admin, "GET", "/events/export", None).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "BACKEND_UNAVAILABLE"));
    faults.set_for_all(Operation::Events, Some(Fault::Delayed(Duration::from_millis(1))));
    assert_eq!(exported(&server, "").await.unwrap().len(), 450);
}
