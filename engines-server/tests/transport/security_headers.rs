//! Headers that every response has.

use engines::Role;
use serde_json::json;

use crate::support::{self, Answer, Connection, acme, ask, request, streaming::open, token};

fn check(answer: &Answer, no_store: bool) {
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{answer:?}");
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{answer:?}");
    let policy = answer.header("content-security-policy");
    assert_eq!(policy, Some("default-src 'none'; frame-ancestors 'none'"), "{answer:?}");
    assert_eq!(answer.header("cache-control") == Some("no-store"), no_store, "{answer:?}");
}

#[tokio::test]
async fn every_response_has_security_headers_and_personal_data_is_not_cached() {
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
    // Streams are sent without the HTTP library.
    check(&open(&server, &member, "/sse/chat/t", &[]).await.answer(true).await, true);
    let handshake = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    check(&open(&server, &member, "/ws/chat/t", &handshake).await.answer(true).await, true);
}

#[tokio::test]
async fn what_the_http_library_refuses_is_answered_with_them_too() {
    let server = support::start().await;
    let long = "x".repeat(100_000);
    let cases = [
        ("GET / HTTP/1.1\r\nno colon\r\n\r\n".to_owned(), 400),
        ("GET /\u{1} HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/7.3\r\nHost: a\r\n\r\n".to_owned(), 400),
        ("G{T / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n".to_owned(), 400),
        (format!("GET / HTTP/1.1\r\nHost: a\r\nX-Long: {long}\r\n\r\n"), 431),
        (format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"), 431),
        (format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", &long[..60_000]), 431),
        (format!("GET /{} HTTP/1.0\r\nHost: a\r\n\r\n", &long[..60_000]), 431),
    ];
    let newer = request("GET", "/healthz", &[], None);
    let older = b"GET /healthz HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n".to_vec();
    let goods = [&newer, &older];
    for ((bad, status), good) in cases.iter().flat_map(|case| goods.map(|good| (case, good))) {
        // Alone, after a response, and pipelined after a request.
        for before in 0..3 {
            let mut connection = Connection::open(server.address).await;
            if before == 2 {
                connection.write(&[&good[..], bad.as_bytes()].concat()).await;
            } else if before == 1 {
                connection.write(good).await;
            }
            if before > 0 {
                let answer = connection.answer(false).await;
                assert_eq!(answer.status, 200, "{answer:?}");
            }
            if before < 2 {
                connection.write(bad.as_bytes()).await;
            }
            let answer = connection.answer(false).await;
            assert_eq!(answer.status, *status, "{answer:?}");
            check(&answer, true);
            assert_eq!(answer.header("connection"), Some("close"), "{answer:?}");
            assert!(!answer.body.is_empty(), "{answer:?}");
            assert_eq!(connection.rest().await, b"", "{status}: something follows");
        }
    }
}
