//! Tickets that can be used again for their stream, over HTTP.

use engines::Role;
use serde_json::{Value, json};

use crate::support::{Connection, Server, acme, ask, request, start, token};

fn viewer() -> String {
    token("vic", &[("t_acme", Role::Viewer)])
}

async fn prepared() -> Server {
    let server = start().await;
    let member = token("ada", &[("t_acme", Role::Member)]);
    acme(server.address, &member, "POST", "/chat/threads", Some(&json!({ "thread_id": "t" }))).await;
    server
}

async fn ticket(server: &Server, body: Value) -> Value {
    let made = acme(server.address, &viewer(), "POST", "/auth/tickets", Some(&body)).await;
    assert_eq!((made.status, made.header("cache-control")), (201, Some("no-store")), "{made:?}");
    made.json()
}

/// Opens the stream, and waits until it has begun.
async fn open(server: &Server, path: &str) -> Connection {
    let mut connection = Connection::open(server.address).await;
    connection.write(&request("GET", path, &[], None)).await;
    assert_eq!(connection.answer(true).await.status, 200, "{path}");
    connection
}

#[tokio::test]
async fn a_reusable_ticket_opens_its_stream_again_until_it_is_ended() {
    let server = prepared().await;
    let made = ticket(&server, json!({ "path": "/sse/chat/t", "reuse": "stream" })).await;
    assert_eq!((&made["expires_in"], &made["reuse"]), (&json!(600), &json!("stream")));
    let path = format!("/sse/chat/t?ticket={}", made["ticket"].as_str().unwrap());
    for _ in 0..3 {
        drop(open(&server, &path).await);
    }
    let mut last = open(&server, &path).await;
    let id = made["ticket_id"].as_str().unwrap();
    let end = format!("/auth/tickets/{id}");
    // Other users are refused.
    let other = token("eve", &[("t_acme", Role::Owner)]);
    assert_eq!(acme(server.address, &other, "DELETE", &end, None).await.status, 404);
    assert_eq!(acme(server.address, &viewer(), "DELETE", &end, None).await.status, 204);
    let rest = String::from_utf8(last.rest().await).unwrap();
    assert!(rest.contains("TOKEN_INVALID"), "{rest}");
    assert_eq!(ask(server.address, "GET", &path, &[], None).await.code(), "TOKEN_INVALID");
    assert_eq!(acme(server.address, &viewer(), "DELETE", &end, None).await.status, 404);
}

#[tokio::test]
async fn a_request_for_the_head_uses_up_no_ticket() {
    let server = prepared().await;
    let made = ticket(&server, json!({ "path": "/sse/chat/t" })).await;
    let path = format!("/sse/chat/t?ticket={}", made["ticket"].as_str().unwrap());
    for _ in 0..2 {
        ask(server.address, "HEAD", &path, &[], None).await;
    }
    drop(open(&server, &path).await);
    assert_eq!(ask(server.address, "GET", &path, &[], None).await.code(), "TOKEN_INVALID");
}

#[tokio::test]
async fn reuse_accepts_only_stream() {
    let server = prepared().await;
    for (body, field) in [
        (json!({ "path": "/sse/chat/t", "reuse": "always" }), "reuse"),
        (json!({ "path": "/sse/chat/t", "reuse": "stream", "ttl_s": 3601 }), "ttl_s"),
        (json!({ "path": "/sse/chat/t", "ttl_s": 61 }), "ttl_s"),
    ] {
        let refused = acme(server.address, &viewer(), "POST", "/auth/tickets", Some(&body)).await;
        assert_eq!((refused.status, refused.code().as_str()), (400, "BODY_INVALID"), "{body}");
        assert!(refused.json()["field"].as_str().unwrap().contains(field), "{body}: {refused:?}");
    }
}
