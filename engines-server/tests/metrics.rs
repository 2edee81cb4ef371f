//! What is counted, and who may see it.

mod support;

use engines::Role;
use serde_json::json;
use support::{acme, ask, token};

#[tokio::test]
async fn operators_see_requests_and_the_store_and_nobodys_ids() {
    let server = support::start().await;
    let ada = token("ada", &[("t_acme", Role::Owner)]);
    let made = acme(server.address, &ada, "POST", "/chat/threads", Some(&json!({ "thread_id": "secret-plan" }))).await;
    assert_eq!(made.status, 201);
    let refused = acme(server.address, &ada, "GET", "/metrics", None).await;
    assert_eq!((refused.status, refused.code().as_str()), (403, "TENANT_FORBIDDEN"));

    let operator = format!("Bearer {}", token("root", &[("t_system", Role::Admin)]));
    let answer = ask(server.address, "GET", "/metrics", &[("Authorization", &operator)], None).await;
    assert_eq!(answer.status, 200);
    let text = String::from_utf8(answer.body).unwrap();
    for line in [
        "engines_http_requests_total{method=\"POST\",route=\"/chat/threads\",status=\"201\"} 1",
        "engines_store_duration_seconds_bucket{le=\"+Inf\",operation=\"commit\"} ",
        "engines_recorder_events_total{what=\"dropped\"} 0",
        "engines_store_undone_total{operation=\"commit\",why=\"failed\"} 0",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let commits =
        text.lines().find_map(|line| line.strip_prefix("engines_store_duration_seconds_count{operation=\"commit\"} "));
    assert!(commits.unwrap().parse::<u64>().unwrap() >= 1, "{text}");
    for personal in ["t_acme", "ada", "secret-plan", "root"] {
        assert!(!text.contains(personal), "{personal}\n{text}");
    }
}
