//! A response that does not wait for the request's body must reach a client that is still sending.

use std::{io::ErrorKind, net::SocketAddr, time::Duration};

use engines::Role;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::support::{self, Connection, Server, acme, request, token};

const LARGE: usize = 3_000_000;

/// Returns requests that get a response before their body is read: method, path, headers and status.
async fn cases(server: &Server) -> Vec<(&'static str, &'static str, Vec<(&'static str, String)>, u16)> {
    let member = token("ada", &[("t_acme", Role::Member)]);
    let viewer = token("vic", &[("t_acme", Role::Viewer)]);
    acme(server.address, &member, "POST", "/chat/threads", Some(&json!({ "thread_id": "t" }))).await;
    let own = |token: &str, kind: &str| {
        vec![
            ("authorization", format!("Bearer {token}")),
            ("x-tenant-id", "t_acme".to_owned()),
            ("x-env", "dev".to_owned()),
            ("content-type", kind.to_owned()),
        ]
    };
    let json = "application/json";
    let bad_env = [&own(&member, json)[..2], &[("x-env", "nowhere".to_owned())], &own(&member, json)[3..]].concat();
    vec![
        ("POST", "/chat/threads", vec![("content-type", json.to_owned())], 401),
        ("POST", "/auth/bootstrap/tenants", vec![("content-type", json.to_owned())], 413),
        ("POST", "/nothing", own(&member, json), 404),
        ("PUT", "/healthz", own(&member, json), 405),
        ("POST", "/chat/threads", own(&member, json), 413),
        ("POST", "/chat/threads", own(&member, "text/plain"), 415),
        ("POST", "/auth/login", vec![("content-type", "text/plain".to_owned())], 415),
        ("POST", "/chat/threads", own(&viewer, json), 403),
        ("DELETE", "/auth/sessions/none", bad_env.clone(), 404),
        ("GET", "/chat/threads", bad_env, 400),
        ("GET", "/chat/threads", own(&member, json), 200),
        ("GET", "/healthz", vec![], 200),
    ]
}

/// Sends a whole body before it reads, as `http.client` does. Returns the response, and whether the connection was
/// closed orderly.
async fn send_all_then_read(address: SocketAddr, head: &[u8]) -> (String, bool) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head).await.unwrap();
    let body = vec![b'x'; 64 << 10];
    let mut left = LARGE;
    while left > 0 {
        let piece = left.min(body.len());
        stream.write_all(&body[..piece]).await.expect("the connection was reset while the body was sent");
        left -= piece;
        // The response has arrived while most of the body has not: a server that closed now would reset the rest.
        if left == LARGE - piece {
            stream.readable().await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let mut answer = Vec::new();
    let ended = stream.read_to_end(&mut answer).await;
    assert!(!matches!(&ended, Err(error) if error.kind() == ErrorKind::ConnectionReset), "{ended:?}");
    (String::from_utf8_lossy(&answer).into_owned(), ended.is_ok())
}

#[tokio::test]
async fn a_client_that_sends_everything_first_gets_its_answer_over_http1() {
    let server = support::start().await;
    for (method, path, headers, status) in cases(&server).await {
        let length = LARGE.to_string();
        let mut all: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        all.push(("content-length", &length));
        for _ in 0..3 {
            let head = request(method, path, &all, None);
            let (answer, in_order) =
                timeout(Duration::from_secs(30), send_all_then_read(server.address, &head)).await.unwrap();
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{method} {path} {status}: {answer}");
            assert!(answer.to_ascii_lowercase().contains("\r\nconnection: close\r\n"), "{method} {path}: {answer}");
            assert!(in_order, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn a_client_that_sends_everything_first_gets_its_answer_over_http2() {
    let server = support::start().await;
    let io = TokioIo::new(TcpStream::connect(server.address).await.unwrap());
    let (mut client, connection) =
        hyper::client::conn::http2::handshake::<_, _, Full<bytes::Bytes>>(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    for (method, path, headers, status) in cases(&server).await {
        let mut request = http::Request::builder().method(method).uri(format!("http://{}{path}", server.address));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::from(vec![b'x'; LARGE])).unwrap();
        let answer = timeout(Duration::from_secs(30), client.send_request(request)).await.unwrap().unwrap();
        assert_eq!(answer.status().as_u16(), status, "{method} {path}");
        answer.into_body().collect().await.expect("a whole answer");
    }
}

#[tokio::test]
async fn a_small_unread_body_does_not_cost_the_connection() {
    let server = support::start().await;
    let mut connection = Connection::open(server.address).await;
    for (method, path, status) in [("POST", "/chat/threads", 401), ("POST", "/nothing", 404), ("GET", "/healthz", 200)]
    {
        connection.write(&request(method, path, &[], Some(b"{\"a\":1}"))).await;
        let answer = connection.answer(false).await;
        assert_eq!((answer.status, answer.header("connection")), (status, None), "{method} {path}");
    }
}

#[tokio::test]
async fn a_client_that_expects_100_continue_is_answered_without_its_body() {
    let server = support::start().await;
    for (method, path, headers, status) in cases(&server).await {
        let mut all: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        all.extend([("content-length", "3000000"), ("expect", "100-continue")]);
        let mut connection = Connection::open(server.address).await;
        connection.write(&request(method, path, &all, None)).await;
        let answer = timeout(Duration::from_secs(10), connection.answer(false)).await.unwrap();
        assert_eq!((answer.status, answer.header("connection")), (status, Some("close")), "{method} {path}");
    }
    // The server asks for a body that it needs.
    let mut connection = Connection::open(server.address).await;
    let headers = [("content-type", "application/json"), ("content-length", "2"), ("expect", "100-continue")];
    connection.write(&request("POST", "/auth/login", &headers, None)).await;
    assert_eq!(connection.answer(true).await.status, 100);
    connection.write(b"{}").await;
    assert_eq!(connection.answer(false).await.status, 400);
}

#[tokio::test]
async fn a_client_that_sends_without_end_is_cut_off() {
    let mut settings = engines_server::HttpSettings::default();
    (settings.deadlines.unread_body_bytes, settings.deadlines.unread_body_s) = (1 << 20, 1);
    let server = support::start_with(settings).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = request("POST", "/nothing", &[("content-length", "1000000000000")], None);
    stream.write_all(&head).await.unwrap();
    let piece = vec![b'x'; 64 << 10];
    let sent = async { while stream.write_all(&piece).await.is_ok() {} };
    timeout(Duration::from_secs(20), sent).await.expect("the server read on for ever");
}
