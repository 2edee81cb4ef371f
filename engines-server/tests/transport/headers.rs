//! Headers that every answer carries.

use engines::Role;
use serde_json::json;

use crate::support::{self, Answer, acme, ask, live::open, token};

fn check(answer: &Answer, no_store: bool) {
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{answer:?}");
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{answer:?}");
    let policy = answer.header("content-security-policy");
    assert_eq!(policy, Some("default-src 'none'; frame-ancestors 'none'"), "{answer:?}");
    assert_eq!(answer.header("cache-control") == Some("no-store"), no_store, "{answer:?}");
}

#[tokio::test]
async fn every_answer_carries_them_and_what_is_personal_is_not_stored() {
    let server = support::start().await;
    let member = token("ada", &[("t_acme", Role::Member)]);
    for path in ["/", "/healthz", "/readyz", "/openapi.json"] {
        check(&ask(server.address, "GET", path, &[], None).await, false);
        check(&ask(server.address, "HEAD", path, &[], None).await, false);
    }
    check(&ask(server.address, "GET", "/nothing", &[], None).await, true);
    check(&ask(server.address, "PATCH", "/healthz", &[], None).await, true);
    check(&ask(server.address, "GET", "/auth/me", &[], None).await, true);
    check(&ask(server.address, "POST", "/auth/login", &[], Some(b"{}")).await, true);
    check(&ask(server.address, "GET", "/auth/bootstrap", &[("Authorization", "Bearer x")], None).await, true);
    check(&acme(server.address, &member, "GET", "/auth/me", None).await, true);
    check(&acme(server.address, &member, "GET", "/chat/threads", None).await, true);
    let made = acme(server.address, &member, "POST", "/chat/threads", Some(&json!({ "thread_id": "t" }))).await;
    check(&made, true);
    check(&acme(server.address, &member, "GET", "/events/export", None).await, true);
    // Streams are written without the HTTP library.
    check(&open(&server, &member, "/sse/chat/t", &[]).await.answer(true).await, true);
    let handshake = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    check(&open(&server, &member, "/ws/chat/t", &handshake).await.answer(true).await, true);
}
