//! WebSockets of browsers.

use engines::Role;
use engines_server::HttpSettings;
use serde_json::json;

use super::cors::listed;
use crate::support::{
    Answer, Connection, Server, acme, request, start_with,
    streaming::{frame, socket},
    token,
};

const HANDSHAKE: [(&str, &str); 4] = [
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

fn member() -> String {
    token("ada", &[("t_acme", Role::Member)])
}

async fn knock(server: &Server, path: &str, headers: &[(&str, &str)]) -> (Answer, Connection) {
    let mut connection = Connection::open(server.address).await;
    let headers = [&HANDSHAKE[..], headers].concat();
    connection.write(&request("GET", path, &headers, None)).await;
    (connection.answer(true).await, connection)
}

/// Returns the code and the reason with which a socket is closed, which must be its only frame.
async fn closed(server: &Server, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let (answer, mut connection) = knock(server, path, headers).await;
    assert_eq!(answer.status, 101, "{answer:?}");
    let all = connection.rest().await;
    assert_eq!((all[0], usize::from(all[1])), (0x88, all.len() - 2), "{all:?}");
    (u16::from_be_bytes([all[2], all[3]]), String::from_utf8(all[4..].to_vec()).unwrap())
}

#[tokio::test]
async fn a_socket_of_an_unlisted_origin_is_closed_before_it_follows_anything() {
    let server = listed().await;
    let made = acme(server.address, &member(), "POST", "/auth/tickets", Some(&json!({ "path": "/ws" }))).await.json();
    let path = format!("/ws?ticket={}", made["ticket"].as_str().unwrap());
    for origin in ["https://evil.test", "null", "", "http://test:8080", "https://test.evil"] {
        let answer = closed(&server, &path, &[("Origin", origin)]).await;
        assert_eq!(answer, (4403, "ORIGIN_FORBIDDEN".into()), "{origin}");
    }
    let twice = closed(&server, &path, &[("Origin", "http://test"), ("Origin", "http://test")]).await;
    assert_eq!(twice.0, 4403);
    // None of them used up the ticket. A page of the server itself is accepted (the client sends `Host: test`).
    let (answer, mut connection) = knock(&server, &path, &[("Origin", "http://TEST")]).await;
    assert_eq!(answer.status, 101);
    connection.until("\"type\":\"hello\"").await;
}

#[tokio::test]
async fn same_origin_and_listed_origins_can_open_sockets() {
    let server = listed().await;
    for origin in ["http://test", "http://test:80", "https://app.example.com", "https://eu.example.org:8443"] {
        let bearer = format!("Bearer {}", member());
        let headers = [("Authorization", &*bearer), ("X-Tenant-Id", "t_acme"), ("X-Env", "dev"), ("Origin", origin)];
        let (answer, mut connection) = knock(&server, "/ws", &headers).await;
        assert_eq!(answer.status, 101, "{origin}");
        connection.until("\"type\":\"hello\"").await;
    }
}

#[tokio::test]
async fn forwarded_host_and_scheme_count_behind_a_trusted_proxy() {
    let trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    let server = start_with(HttpSettings { trusted_proxies, ..HttpSettings::default() }).await;
    let bearer = format!("Bearer {}", member());
    let with = |origin: &'static str, proto: &'static str, host: &'static str| {
        vec![("Origin", origin), ("X-Forwarded-Proto", proto), ("X-Forwarded-Host", host)]
    };
    for (headers, good) in [
        (with("https://app.test", "https", "app.test"), true),
        (with("https://app.test", "http", "app.test"), false),
        (with("https://app.test", "https", "other.test"), false),
        // The proxy has written the last value, and the client the others.
        (with("https://app.test", "https", "app.test, other.test"), false),
    ] {
        let own = [("Authorization", &*bearer), ("X-Tenant-Id", "t_acme"), ("X-Env", "dev")];
        let (answer, mut connection) = knock(&server, "/ws", &[&own[..], &headers].concat()).await;
        assert_eq!(answer.status, 101);
        if good {
            connection.until("\"type\":\"hello\"").await;
        } else {
            assert!(connection.rest().await.ends_with(b"ORIGIN_FORBIDDEN"), "{headers:?}");
        }
    }
    // Values of other peers are ignored.
    let plain = listed().await;
    let answer = closed(&plain, "/ws", &with("https://app.test", "https", "app.test")).await;
    assert_eq!(answer.0, 4403);
}

#[tokio::test]
async fn browsers_get_a_close_code_and_other_clients_a_problem() {
    let server = listed().await;
    let (member, stranger) = (member(), token("eve", &[("t_other", Role::Owner)]));
    let bearer = |token: &str| format!("Bearer {token}");
    let (member, stranger) = (bearer(&member), bearer(&stranger));
    let within = [("X-Tenant-Id", "t_acme"), ("X-Env", "dev")];
    for (path, more, status, code, reason) in [
        ("/ws", &within[..], 401, 4401, "TOKEN_MISSING"),
        ("/ws", &[("Authorization", "Bearer rubbish"), within[0], within[1]], 401, 4401, "TOKEN_INVALID"),
        ("/ws", &[("Authorization", &*stranger), within[0], within[1]], 403, 4403, "TENANT_FORBIDDEN"),
        ("/ws/chat/none", &[("Authorization", &*member), within[0], within[1]], 404, 4404, "NOT_FOUND"),
        ("/ws/chat/-", &[("Authorization", &*member), within[0], within[1]], 400, 4400, "ID_INVALID"),
        ("/ws", &[("Authorization", &*member), within[0]], 400, 4400, "ENV_REQUIRED"),
        (
            "/ws/chat/t?cursor=rubbish",
            &[("Authorization", &*member), within[0], within[1]],
            400,
            4400,
            "CURSOR_INVALID",
        ),
    ] {
        let answer = closed(&server, path, &[more, &[("Origin", "http://test")]].concat()).await;
        assert_eq!(answer, (code, reason.into()), "{path}");
        let (answer, _) = knock(&server, path, more).await;
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{path}");
    }
}

#[tokio::test]
async fn a_message_must_match_the_scope_of_its_socket() {
    let server = listed().await;
    acme(server.address, &member(), "POST", "/chat/threads", Some(&json!({ "thread_id": "t" }))).await;
    let mut chat = socket(&server, &member(), "/ws/chat/t").await;
    for (at, wrong) in [
        json!({ "env": "prod" }),
        json!({ "tenant_id": "t_other" }),
        json!({ "tenantId": "t_other" }),
        json!({ "routing": { "env": "prod" } }),
        json!({ "routing": { "tenant_id": "t_other" } }),
        json!({ "routing": { "actor_id": "eve" } }),
        json!({ "routing": { "thread_id": "other" } }),
    ]
    .into_iter()
    .enumerate()
    {
        let mut message = json!({ "type": "message", "text": "x", "ref": format!("r{at}") });
        message.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
        chat.write(&frame(1, message.to_string().as_bytes())).await;
        let seen = chat.until(&format!("\"ref\":\"r{at}\"")).await + &chat.until("}").await;
        assert!(seen.contains("CONTEXT_MISMATCH"), "{message}: {seen}");
    }
    let good = json!({ "type": "message", "text": "good", "env": "DEV", "tenant_id": "t_acme", "ref": "g",
        "routing": { "thread_id": "t", "surface_id": "s1" } });
    chat.write(&frame(1, good.to_string().as_bytes())).await;
    chat.until("\"ref\":\"g\"").await;
    let log = acme(server.address, &member(), "GET", "/chat/threads/t/events", None).await.json();
    let items = log["items"].as_array().unwrap();
    assert_eq!(items.len(), 1, "{log}");
    assert_eq!(items[0]["routing"]["surface_id"], "s1");
}
