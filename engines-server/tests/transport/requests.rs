//! Rules that every request must satisfy before the other steps.

use engines::Role;
use serde_json::json;

use crate::support::{self, Connection, acme, ask, token};

const HANDSHAKE: [(&str, &str); 4] = [
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

async fn status_of(address: std::net::SocketAddr, request: &str) -> u16 {
    let mut connection = Connection::open(address).await;
    connection.write(request.as_bytes()).await;
    connection.answer(false).await.status
}

#[tokio::test]
async fn a_request_needs_exactly_one_host() {
    let server = support::start().await;
    let cases = [
        ("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", 200),
        ("GET /healthz HTTP/1.1\r\nHost: a:80\r\n\r\n", 200),
        ("GET /healthz HTTP/1.1\r\n\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
        ("GET /nothing HTTP/1.1\r\n\r\n", 400),
        ("POST /auth/login HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 400),
        ("GET /healthz HTTP/1.0\r\n\r\n", 200),
        ("GET /healthz HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    ];
    for (request, status) in cases {
        assert_eq!(status_of(server.address, request).await, status, "{request:?}");
    }
}

#[tokio::test]
async fn a_body_needs_its_type_on_every_route_that_reads_one() {
    let server = support::start().await;
    let token = token("ada", &[("t_acme", Role::Owner), ("t_system", Role::Owner)]);
    let bearer = format!("Bearer {token}");
    let mut asked = 0;
    for route in engines_server::routes::all() {
        use engines_server::routes::BodyKind;
        let (good, other): (_, &[_]) = match route.body {
            BodyKind::None => continue,
            BodyKind::Json | BodyKind::OptionalJson => ("application/json", &[]),
            BodyKind::Lines => ("application/x-ndjson", &["application/json"]),
        };
        let path = route.path.replace("{t}", "t_acme").replace("{slot}", "slot").replace(['{', '}', '*'], "");
        // The media types that a page of another origin can send without a preflight, and no media type at all.
        let simple = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""];
        let kinds = simple.iter().chain(other).map(|kind| Some(*kind)).chain([None, Some(good)]);
        for kind in kinds {
            let mut headers = vec![("Authorization", bearer.as_str()), ("X-Tenant-Id", "t_acme"), ("X-Env", "dev")];
            headers.extend(kind.map(|kind| ("Content-Type", kind)));
            headers.push(("Content-Length", "2"));
            let mut request = support::request(route.method.as_str(), &path, &headers, None);
            request.extend(b"{}");
            let mut connection = Connection::open(server.address).await;
            connection.write(&request).await;
            let answer = connection.answer(false).await;
            if kind == Some(good) {
                assert_ne!(answer.status, 415, "{route:?} {kind:?}");
            } else {
                let refused = (answer.status, answer.code());
                assert_eq!(refused, (415, "MEDIA_TYPE_UNSUPPORTED".to_owned()), "{route:?} {kind:?}");
            }
        }
        asked += 1;
    }
    assert!(asked > 20, "the table has lost its routes");
}

#[tokio::test]
async fn a_websocket_is_opened_by_get_without_a_body_and_nothing_else() {
    let server = support::start().await;
    let member = token("ada", &[("t_acme", Role::Member)]);
    acme(server.address, &member, "POST", "/chat/threads", Some(&json!({ "thread_id": "t" }))).await;
    let bearer = format!("Bearer {member}");
    let own = [("Authorization", bearer.as_str()), ("X-Tenant-Id", "t_acme"), ("X-Env", "dev")];
    for path in ["/ws", "/ws/chat/t"] {
        let headers = [&own[..], &HANDSHAKE].concat();
        assert_eq!(ask(server.address, "HEAD", path, &headers, None).await.status, 400, "{path}");
        let answer = ask(server.address, "GET", path, &headers, Some(b"{}")).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "BODY_INVALID"), "{path}");
        let chunked = [&headers[..], &[("Transfer-Encoding", "chunked")]].concat();
        assert_eq!(ask(server.address, "GET", path, &chunked, None).await.status, 400, "{path}");
    }
}

#[tokio::test]
async fn head_and_refused_handshakes_use_up_no_ticket() {
    let server = support::start().await;
    let body = json!({ "email": "ada@example.org", "password": "plum-Lantern-77 quiet", "tenant_name": "Acme" });
    let signed_up = ask(server.address, "POST", "/auth/signup", &[], Some(body.to_string().as_bytes())).await.json();
    let tenant = signed_up["tenant"]["tenant_id"].as_str().unwrap().to_owned();
    let bearer = format!("Bearer {}", signed_up["access_token"].as_str().unwrap());
    let own = [("Authorization", bearer.as_str()), ("X-Tenant-Id", tenant.as_str()), ("X-Env", "dev")];
    let made = ask(server.address, "POST", "/chat/threads", &own, Some(br#"{"thread_id":"t"}"#)).await;
    assert_eq!(made.status, 201, "{made:?}");
    for (kind, refused) in [("sse", 401), ("ws", 400)] {
        let ticket = json!({ "path": format!("/{kind}/chat/t") }).to_string();
        let ticket = ask(server.address, "POST", "/auth/tickets", &own, Some(ticket.as_bytes())).await.json();
        let path = format!("/{kind}/chat/t?ticket={}", ticket["ticket"].as_str().unwrap());
        let handshake = if kind == "ws" { &HANDSHAKE[..] } else { &[] };
        for _ in 0..2 {
            assert_eq!(ask(server.address, "HEAD", &path, handshake, None).await.status, refused);
        }
        if kind == "ws" {
            assert_eq!(ask(server.address, "GET", &path, handshake, Some(b"{}")).await.status, 400);
        }
        let opened = async || {
            let mut connection = Connection::open(server.address).await;
            connection.write(&support::request("GET", &path, handshake, None)).await;
            connection.answer(true).await.status
        };
        assert_eq!(opened().await, if kind == "ws" { 101 } else { 200 });
        assert_eq!(opened().await, 401, "a ticket is good once");
    }
}
