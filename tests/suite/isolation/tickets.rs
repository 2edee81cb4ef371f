//! Tickets for every kind of stream.

use engines::Role;
use engines_server::{Route, routes};
use serde_json::json;

use super::{
    fixture::{self, IsolationFixture, PathIds},
    support::{Answer, ask, token},
};

const WEBSOCKET: [(&str, &str); 4] = [
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

async fn open(world: &IsolationFixture, path: &str, query: &str, headers: &[(&str, &str)]) -> Answer {
    let socket = if path.starts_with("/ws") { &WEBSOCKET[..] } else { &[] };
    ask(world.server.address, "GET", &format!("{path}?{query}"), &[headers, socket].concat(), None).await
}

#[tokio::test]
async fn a_ticket_opens_only_its_stream_and_only_once() {
    let world = IsolationFixture::new().await;
    let ids = PathIds { thing: "mine".into(), user: String::new() };
    let all: Vec<&Route> = routes::all().filter(|route| route.stream).collect();
    assert!(all.len() >= 5, "the table has lost its streams");
    for route in all {
        let path = fixture::path(route, "t_acme", &ids);
        let get = async || {
            let made = world.create("POST", "/auth/tickets", json!({ "path": path, "ttl_s": 30 })).await;
            format!("ticket={}", made["ticket"].as_str().unwrap())
        };
        let ticket = get().await;
        // Another path rejects the ticket and does not use it up; so does a route that is not a stream.
        let elsewhere = if path == "/ws" { "/sse/chat/mine" } else { "/ws" };
        assert_eq!(open(&world, elsewhere, &ticket, &[]).await.code(), "TOKEN_INVALID", "{path}");
        assert_eq!(open(&world, "/chat/threads/mine", &ticket, &[]).await.code(), "TOKEN_MISSING", "{path}");
        // The ticket itself names tenant and environment.
        assert_eq!(open(&world, &path, &ticket, &[]).await.status, route.doc.status, "{path}");
        assert_eq!(open(&world, &path, &ticket, &[]).await.code(), "TOKEN_INVALID", "{path}");
        // A ticket that is presented for another tenant or environment is used up, and opens nothing.
        for (query, headers) in [("&tenant_id=t_other", [("X-Env", "dev")]), ("&env=prod", [("X-Tenant-Id", "t_acme")])]
        {
            let ticket = get().await;
            let answer = open(&world, &path, &format!("{ticket}{query}"), &headers).await;
            assert_eq!((answer.status, answer.code().as_str()), (403, "TENANT_FORBIDDEN"), "{path}{query}");
        }
        // Two credentials in one request are rejected.
        let bearer = format!("Bearer {}", world.root);
        let answer = open(&world, &path, &get().await, &[("Authorization", &bearer)]).await;
        assert_eq!(answer.code(), "TOKEN_INVALID", "{path}");
    }
}

#[tokio::test]
async fn a_ticket_acts_as_the_user_it_was_issued_to() {
    let world = IsolationFixture::new().await;
    let carol = token("carol", &[("t_acme", Role::Owner)]);
    world.add_member("carol", "viewer").await;
    let bearer = format!("Bearer {carol}");
    let headers = [("Authorization", bearer.as_str()), ("X-Tenant-Id", "t_acme"), ("X-Env", "dev")];
    let body = json!({ "path": "/sse/chat/mine" }).to_string();
    let made = ask(world.server.address, "POST", "/auth/tickets", &headers, Some(body.as_bytes())).await;
    assert_eq!(made.status, 201);
    let ticket = format!("ticket={}", made.json()["ticket"].as_str().unwrap());
    world.delete("/tenants/t_acme/members/carol").await;
    let answer = open(&world, "/sse/chat/mine", &ticket, &[]).await;
    assert_eq!((answer.status, answer.code().as_str()), (403, "TENANT_FORBIDDEN"));
}
