//! Tickets.

use std::time::Duration;

use serde_json::json;

use crate::fixture::world;

#[tokio::test]
async fn tickets_are_short_lived_and_bound_to_a_path() {
    let world = world().await;
    let ada = world.signup("ada").await;
    let get = |body| world.post("/auth/tickets", body).bearer(&ada.token).within(&ada.tenant).send();
    for (body, field) in [
        (json!({}), "/path"),
        (json!({ "path": "sse/chat/t" }), "path"),
        (json!({ "path": "/sse/chat/t?from=start" }), "path"),
        (json!({ "path": "/sse/chat/t", "ttl_s": 61 }), "ttl_s"),
        (json!({ "path": "/sse/chat/t", "ttl_s": 0 }), "ttl_s"),
    ] {
        let answer = get(body.clone()).await;
        assert_eq!(answer.refusal(), (400, "BODY_INVALID"), "{body}");
        assert!(answer.body["field"].as_str().unwrap().ends_with(field), "{answer:?}");
    }
    let made = get(json!({ "path": "/ws" })).await;
    assert_eq!(made.header("cache-control"), Some("no-store"));
    let made = made.ok(201);
    assert_eq!(made["expires_in"], 30);
    world.clock.advance(Duration::from_secs(31));
    let late = world.ask("GET", format!("/ws?ticket={}", made["ticket"].as_str().unwrap())).send().await;
    assert_eq!(late.refusal(), (401, "TOKEN_EXPIRED"));
    // A viewer may follow.
    let eve = world.signup("eve").await;
    world.join(&ada, &eve, "viewer").await;
    let by_eve = world.post("/auth/tickets", json!({ "path": "/ws" })).bearer(&eve.token).within(&ada.tenant);
    by_eve.send().await.ok(201);
}
