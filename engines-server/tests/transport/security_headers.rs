//! Headers that every response has.

use engines::Role;
use engines_server::HttpSettings;
use http::Request;
use http_body_util::Empty;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::net::TcpStream;

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

#[tokio::test]
async fn a_head_that_is_too_large_is_answered_with_them_over_http2() {
    let settings = HttpSettings { head_bytes: 4096, ..HttpSettings::default() };
    let server = support::start_with(settings).await;
    let io = TokioIo::new(TcpStream::connect(server.address).await.unwrap());
    let (mut client, connection) =
        hyper::client::conn::http2::handshake::<_, _, Empty<bytes::Bytes>>(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    // As a header and as a path; many short headers count more than their bytes.
    let request = |length: usize, count: usize, path: usize| {
        let target = format!("http://{}/{}", server.address, "x".repeat(path));
        let fields = (0..count).map(|at| (format!("x-{at}"), "x".repeat(length)));
        let request = fields.fold(Request::builder().uri(target), |request, (name, value)| request.header(name, value));
        request.body(Empty::new()).unwrap()
    };
    for (length, count, path, status) in
        [(3000, 1, 0, 200), (4096, 1, 0, 431), (15_000, 1, 0, 431), (1, 150, 0, 431), (0, 0, 5000, 431), (9, 3, 0, 200)]
    {
        let answer = client.send_request(request(length, count, path)).await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{length} {count} {path}");
        let headers = ["x-content-type-options", "referrer-policy", "content-security-policy", "x-request-id"];
        for name in headers {
            assert!(answer.headers().contains_key(name), "{name} of {length} {count} {path}");
        }
        assert_eq!(answer.headers().get("cache-control").is_some_and(|value| value == "no-store"), status == 431);
    }
    // What the library refuses by itself has a status alone. If that changes, `docs/security.md` does.
    let answer = client.send_request(request(17_000, 1, 0)).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers().len()), (431, 0), "{answer:?}");
}
